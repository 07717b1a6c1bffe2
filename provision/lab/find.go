package lab

import (
	"context"
	"fmt"
	"slices"
)

// Find returns the server of that name.
func Find(ctx context.Context, name string) (*Server, error) {
	servers, err := List(ctx)
	if err != nil {
		return nil, err
	}
	return find(servers, name)
}

func find(servers []*Server, name string) (*Server, error) {
	i := slices.IndexFunc(servers, func(s *Server) bool { return s.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("no server is named %s\nhint: go run ./cmd/lab list", name)
	}
	return servers[i], nil
}
