package client

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/gemini-claude-adapter/gca/proxy/control"
)

// Seen is what an adapter shows of its use: all of it to an admin, its own to a client. One of both is set.
type Seen struct {
	All *control.Stats
	Own *control.TokenStats
}

// ReadSeen reads what /stats answered.
func ReadSeen(text []byte) (Seen, error) {
	var who whoReply
	err := json.Unmarshal(text, &who)
	seen := Seen{}
	if err == nil && who.Health != "" {
		seen.All = &control.Stats{}
		err = json.Unmarshal(text, seen.All)
	} else if err == nil {
		seen.Own = &control.TokenStats{}
		err = json.Unmarshal(text, seen.Own)
	}
	if err == nil && (seen.All != nil && seen.All.Schema != 1 || seen.Own != nil && seen.Own.Schema != 1) {
		err = fmt.Errorf("another schema than 1")
	}
	if err != nil {
		return Seen{}, fmt.Errorf("what the adapter used cannot be read: %w\nhint: gca upgrade, should its release be another one than this", err)
	}
	return seen, nil
}

// Stats asks what was used today, and on the last days, at most control.MaxStatsDays.
func (c *Client) Stats(ctx context.Context, days int) (Seen, error) {
	var text json.RawMessage
	if err := c.get(ctx, fmt.Sprintf("/stats?days=%d", days), &text); err != nil {
		return Seen{}, err
	}
	return ReadSeen(text)
}

// modelList is a page of /v1/models.
type modelList struct {
	Data []struct {
		ID string `json:"id"`
	} `json:"data"`
}

// Models are the names of the models that the adapter knows.
func (c *Client) Models(ctx context.Context) ([]string, error) {
	var list modelList
	if err := c.get(ctx, "/v1/models?limit=1000", &list); err != nil {
		return nil, err
	}
	var names []string
	for _, m := range list.Data {
		names = append(names, m.ID)
	}
	return names, nil
}
