package keys

// maxMoved is how many conversations that had to move are remembered, at least.
const maxMoved = 4096

// memory remembers which key conversations went to. What was not asked for longest is forgotten: there are two halves, and when
// the new one is full the old one goes. The zero memory is empty.
type memory struct{ recent, old map[uint64]*key }

func (m *memory) get(conversation uint64) *key {
	if k, ok := m.recent[conversation]; ok {
		return k
	}
	k, ok := m.old[conversation]
	if ok {
		m.put(conversation, k)
	}
	return k
}

func (m *memory) put(conversation uint64, k *key) {
	if _, known := m.recent[conversation]; !known && len(m.recent) >= maxMoved || m.recent == nil {
		m.old, m.recent = m.recent, make(map[uint64]*key)
	}
	m.recent[conversation] = k
}

func (m *memory) drop(conversation uint64) {
	delete(m.recent, conversation)
	delete(m.old, conversation)
}
