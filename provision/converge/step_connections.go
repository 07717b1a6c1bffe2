package converge

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// connectionsStep raises the stock number of connections of an Nginx worker, one line in nginx.conf. A number that a
// person chose stays.
type connectionsStep struct{ most int }

const stockConnections = 768 // in Debian's and Ubuntu's nginx.conf; a stream takes two

// newConnections keeps to half of the files that a worker may open, since each connection is one and logs are some.
func newConnections(f Facts, s Settings) connectionsStep {
	v := newView(f, Want{}, s)
	if !v.WorkerFiles {
		return connectionsStep{}
	}
	return connectionsStep{min(workerConnections, v.OpenFiles/2)}
}

func (st connectionsStep) raises() bool { return st.most > stockConnections }

// edit returns the text of nginx.conf with the number in place.
func (st connectionsStep) edit(conf string) string {
	if !st.raises() {
		return conf
	}
	var out strings.Builder
	stock := strconv.Itoa(stockConnections)
	for line := range strings.Lines(conf) {
		if w := strings.Fields(line); len(w) > 1 && w[0] == "worker_connections" && w[1] == stock+";" {
			line = strings.Replace(line, stock, strconv.Itoa(st.most), 1)
		}
		out.WriteString(line)
	}
	return out.String()
}

func (connectionsStep) before(_ context.Context, r *run) (reversal, error) {
	a, err := r.sys.pathReversal(nginxConf, false)
	if err == nil && a.Was.Kind != PathFile {
		err = fmt.Errorf("%s is not a plain file\nhint: cp --remove-destination $(readlink -f %[1]s) %[1]s", nginxConf)
	}
	return reversal{Undo: []action{a}}, err
}

func (st connectionsStep) apply(_ context.Context, r *run) error {
	now, err := r.sys.state(nginxConf)
	if err != nil {
		return err
	}
	text := st.edit(string(now.Content))
	if text == string(now.Content) {
		return nil
	}
	return r.sys.writeFile(nginxConf, []byte(text), now.Mode, owner{now.UID, now.GID})
}

func (st connectionsStep) check(_ context.Context, r *run) error {
	text, err := r.sys.readText(nginxConf)
	if err == nil && st.edit(text) != text {
		err = fmt.Errorf("%s still has the stock worker_connections", nginxConf)
	}
	return err
}
