package gemini

import "encoding/json"

// The parts of an answer that come of tools which Google runs itself.

// object keeps an object as it came.
func (d *Decoder) object() json.RawMessage {
	if !d.w.Expect("{", "") {
		return nil
	}
	return d.w.Raw()
}

func (d *Decoder) code() *ExecutableCode {
	w := &d.w
	code := &ExecutableCode{}
	if !w.Object("", func(name []byte) {
		switch string(name) {
		case "id":
			code.ID = w.String()
		case "language":
			code.Language = w.String()
		case "code":
			code.Code = w.Text()
		default:
			w.Skip()
		}
	}) {
		return nil
	}
	return code
}

func (d *Decoder) codeResult() *CodeResult {
	w := &d.w
	result := &CodeResult{}
	if !w.Object("", func(name []byte) {
		switch string(name) {
		case "id":
			result.ID = w.String()
		case "outcome":
			result.Outcome = w.String()
		case "output":
			result.Output = w.Text()
		default:
			w.Skip()
		}
	}) {
		return nil
	}
	return result
}

func (d *Decoder) grounding(g *Grounding) {
	w := &d.w
	w.Object("", func(name []byte) {
		switch string(name) {
		case "webSearchQueries":
			d.few(func() {
				if q := w.String(); q != "" {
					g.Queries = append(g.Queries, q)
				}
			})
		case "groundingChunks":
			d.few(func() { g.Sources = append(g.Sources, d.source()) })
		case "groundingSupports":
			d.few(func() { g.Supports = append(g.Supports, d.support()) })
		default:
			w.Skip()
		}
	})
}

// source reads a chunk of any kind, so that indexes stay right; those that are no web pages are empty.
func (d *Decoder) source() Source {
	w := &d.w
	var s Source
	w.Object("", func(name []byte) {
		if string(name) != "web" {
			w.Skip()
			return
		}
		w.Object("", func(name []byte) {
			switch string(name) {
			case "uri":
				s.URI = w.String()
			case "title":
				s.Title = w.String()
			default:
				w.Skip()
			}
		})
	})
	return s
}

func (d *Decoder) support() Support {
	w := &d.w
	var s Support
	w.Object("", func(name []byte) {
		switch string(name) {
		case "segment":
			w.Object("", func(name []byte) {
				switch string(name) {
				case "startIndex":
					s.Start = orZero(w.Int())
				case "endIndex":
					s.End = orZero(w.Int())
				case "text":
					s.Text = w.String()
				default:
					w.Skip()
				}
			})
		case "groundingChunkIndices":
			d.few(func() {
				if n := w.Int(); n != nil {
					s.Sources = append(s.Sources, *n)
				}
			})
		default:
			w.Skip()
		}
	})
	return s
}

func (d *Decoder) urlContext(g *Grounding) {
	w := &d.w
	w.Object("", func(name []byte) {
		if string(name) != "urlMetadata" {
			w.Skip()
			return
		}
		d.few(func() {
			var u RetrievedURL
			w.Object("", func(name []byte) {
				switch string(name) {
				case "retrievedUrl":
					u.URL = w.String()
				case "urlRetrievalStatus":
					u.Status = w.String()
				default:
					w.Skip()
				}
			})
			g.URLs = append(g.URLs, u)
		})
	})
}

// few walks an array up to a sensible length.
func (d *Decoder) few(elem func()) {
	d.w.Array("", func(i int) {
		if i >= maxGround {
			d.w.Skip()
			return
		}
		elem()
	})
}

func orZero(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}
