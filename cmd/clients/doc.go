// Package clients holds tests alone: the real Claude Code, Codex and Gemini CLI from npm, headless, in a home and an
// environment of their own, work through the adapter's binary against the strict fake of Gemini. What the model "says" is
// scripted; what the clients do of it is their own. Anthropic's SDK for TypeScript is among them, and reads streams that are
// cut anywhere. make test-clients runs them; they need npm, node 20 or newer, and, once, the network for npm. The clients
// are kept in the user's cache folder.
package clients
