package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
)

// connections are what the demo reads of the profiles that the deploy saved.
type connections struct {
	Default  string `json:"default"`
	Profiles map[string]struct {
		URL   string `json:"url"`
		Token string `json:"token"`
	} `json:"profiles"`
}

// toolTurn lets the model call a tool, answers the call, and prints what it makes of the result: what Claude Code does at
// each of its steps.
func toolTurn(ctx context.Context, home string) error {
	text, err := os.ReadFile(filepath.Join(home, ".config", "gca", "profiles.json"))
	if err != nil {
		return err
	}
	var saved connections
	if err := json.Unmarshal(text, &saved); err != nil {
		return err
	}
	c := saved.Profiles[saved.Default]
	client := anthropic.NewClient(option.WithBaseURL(c.URL), option.WithAuthToken(c.Token), option.WithMaxRetries(0))
	params := anthropic.MessageNewParams{
		Model:     "claude-sonnet-5",
		MaxTokens: 8000,
		Messages:  []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("Use the tool read_clock and tell me what time it is there."))},
		Tools: []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{
			Name:        "read_clock",
			Description: anthropic.String("Tells the local time in a city."),
			InputSchema: anthropic.ToolInputSchemaParam{Properties: map[string]struct {
				Type string `json:"type"`
			}{"city": {"string"}}, Required: []string{"city"}},
		}}},
	}
	message, err := client.Messages.New(ctx, params)
	if err != nil {
		return fmt.Errorf("the turn with tools failed: %w", err)
	}
	var results []anthropic.ContentBlockParamUnion
	for _, block := range message.Content {
		if call := block.AsToolUse(); block.Type == "tool_use" {
			fmt.Printf("the model calls  %s %s\n", call.Name, call.Input)
			results = append(results, anthropic.NewToolResultBlock(call.ID, "It is 21:04.", false))
		}
	}
	if len(results) == 0 {
		return fmt.Errorf("the model called no tool: it answered %s", message.RawJSON())
	}
	params.Messages = append(params.Messages, message.ToParam(), anthropic.NewUserMessage(results...))
	message, err = client.Messages.New(ctx, params)
	if err != nil {
		return fmt.Errorf("the answer to the tool's result failed: %w", err)
	}
	for _, block := range message.Content {
		if block.Type == "text" {
			fmt.Printf("and then says    %s\n", block.Text)
		}
	}
	return nil
}
