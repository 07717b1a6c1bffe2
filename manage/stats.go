package manage

import (
	"context"

	"github.com/gemini-claude-adapter/gca/proxy/control"
)

// Stats asks the adapter that serves here for all that it shows, with the last days. The errors are those of ListKeys.
func Stats(ctx context.Context, days int) (control.Stats, error) {
	return first(hereAdapters(), func(one control.Client) (control.Stats, error) { return one.Stats(ctx, days) })
}
