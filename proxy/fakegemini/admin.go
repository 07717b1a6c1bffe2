package fakegemini

import (
	"encoding/json"
	"io"
	"net/http"
)

// The admin paths drive a fake in another process. They need no key; bodies and answers are JSON.
//
//	POST   /_fake/answers            {"answers":[Answer…]}          adds answers to the queue
//	POST   /_fake/keys               {"key":"k","rule":KeyRule}     adds a rule for a key
//	DELETE /_fake/keys?key=k                                        takes the rules of a key away
//	POST   /_fake/gates/{gate}/arrived                              confirms a chunk; 409 when none can have arrived
//	GET    /_fake/gates/{gate}                                      {"sent":n}
//	GET    /_fake/requests?refused=true                             {"requests":[Recorded…]}
//	POST   /_fake/signatures/rotate                                 makes every signature so far invalid
//	POST   /_fake/reset

// AdminAnswers is the body of POST /_fake/answers.
type AdminAnswers struct {
	Answers []Answer `json:"answers"`
}

// AdminKey is the body of POST /_fake/keys.
type AdminKey struct {
	Key  string  `json:"key"`
	Rule KeyRule `json:"rule"`
}

// AdminGate is the answer of GET /_fake/gates/{gate}.
type AdminGate struct {
	Sent int `json:"sent"`
}

// AdminRequests is the answer of GET /_fake/requests.
type AdminRequests struct {
	Requests []Recorded `json:"requests"`
	Pending  int        `json:"pending"` // scripted answers not taken yet
}

type adminError struct {
	Error string `json:"error"`
}

func (s *Server) adminRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST /_fake/answers", s.adminAnswers)
	mux.HandleFunc("POST /_fake/keys", s.adminKeys)
	mux.HandleFunc("DELETE /_fake/keys", func(w http.ResponseWriter, r *http.Request) {
		s.HealKey(r.URL.Query().Get("key"))
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /_fake/gates/{gate}/arrived", func(w http.ResponseWriter, r *http.Request) {
		if err := s.Arrived(r.PathValue("gate")); err != nil {
			adminReply(w, http.StatusConflict, adminError{err.Error()})
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /_fake/gates/{gate}", func(w http.ResponseWriter, r *http.Request) {
		adminReply(w, http.StatusOK, AdminGate{Sent: s.Sent(r.PathValue("gate"))})
	})
	mux.HandleFunc("GET /_fake/requests", s.adminRequests)
	mux.HandleFunc("POST /_fake/signatures/rotate", func(w http.ResponseWriter, _ *http.Request) {
		s.RotateSignatures()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /_fake/reset", func(w http.ResponseWriter, _ *http.Request) {
		s.Reset()
		w.WriteHeader(http.StatusNoContent)
	})
}

func (s *Server) adminAnswers(w http.ResponseWriter, r *http.Request) {
	var body AdminAnswers
	if !adminBody(w, r, &body) {
		return
	}
	if err := s.script.add(body.Answers); err != nil {
		adminReply(w, http.StatusBadRequest, adminError{err.Error()})
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) adminKeys(w http.ResponseWriter, r *http.Request) {
	var body AdminKey
	if !adminBody(w, r, &body) {
		return
	}
	s.Key(body.Key, body.Rule)
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) adminRequests(w http.ResponseWriter, r *http.Request) {
	out := AdminRequests{Requests: s.Requests(), Pending: s.Pending()}
	if r.URL.Query().Get("refused") == "true" {
		out.Requests = s.Refusals()
	}
	adminReply(w, http.StatusOK, out)
}

const maxAdminBody = 16 << 20

// adminBody reads a strict JSON body; false when it has answered with what is wrong.
func adminBody(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAdminBody))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		return true
	}
	adminReply(w, http.StatusBadRequest, adminError{err.Error()})
	return false
}

func adminReply(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if _, err := io.WriteString(w, string(data)+"\n"); err != nil {
		panic(http.ErrAbortHandler)
	}
}
