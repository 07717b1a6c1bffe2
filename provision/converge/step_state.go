package converge

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// stopStep stops the adapter, socket and all, so that nothing writes to its folder; later steps start it again.
type stopStep struct {
	stop time.Duration // the longest that it takes
}

func (st stopStep) before(ctx context.Context, r *run) (reversal, error) {
	units, err := collectUnits(ctx, &r.sys.reader)
	// The steps that start it again find it stopped, so what they change of its socket is taken back here too.
	return reversal{Settle: bringBack(units, true, st.stop)}, err
}

func (st stopStep) apply(ctx context.Context, r *run) error {
	r.progress("waiting for running requests to end")
	return r.sys.stopAll(ctx, st.stop)
}

func (stopStep) check(ctx context.Context, r *run) error {
	units, err := collectUnits(ctx, &r.sys.reader)
	if err == nil && (units[serviceUnit].Active || units[socketUnit].Active) {
		err = fmt.Errorf("%s was stopped, yet runs", serviceUnit)
	}
	return err
}

// stateStep gives the adapter's own folder other files, and leaves none of the old ones there, but for what was set aside.
type stateStep struct{ files []StateFile }

// before keeps each file that is there.
func (st stateStep) before(_ context.Context, r *run) (reversal, error) {
	var rev reversal
	entries, err := os.ReadDir(r.sys.at(stateDir))
	if err != nil {
		return reversal{}, err
	}
	known := map[string]bool{}
	for _, entry := range entries {
		if !setAside(entry.Name()) {
			known[entry.Name()] = true
		}
	}
	for _, file := range st.files {
		known[file.Name] = true
	}
	for _, name := range companionsFirst(known) {
		a, err := r.sys.pathReversal(filepath.Join(stateDir, name), true)
		if err != nil {
			return reversal{}, err
		}
		if a.Was.Kind == PathDir {
			return reversal{}, fmt.Errorf("%s/%s is a folder, and not the adapter's", stateDir, name)
		}
		rev.Undo = append(rev.Undo, a)
	}
	return rev, nil
}

// companions are what SQLite keeps beside a database while it is open, or after a crash. Beside another database of that name
// they would ruin it.
var companions = []string{"-wal", "-shm", "-journal"}

// setAside tells a database that the adapter found damaged, and began another one for. It may be the only trace of the last days,
// no backup has it, and nothing opens it: it stays.
func setAside(name string) bool { return strings.Contains(name, ".damaged-") }

func isCompanion(name string) bool {
	return slices.ContainsFunc(companions, func(suffix string) bool { return strings.HasSuffix(name, suffix) })
}

// companionsFirst adds those that files may come to have, and puts them first: what is put back last is a whole database that
// has none of another one beside it.
func companionsFirst(known map[string]bool) []string {
	first, others := map[string]bool{}, map[string]bool{}
	for name := range known {
		if isCompanion(name) {
			first[name] = true
			continue
		}
		others[name] = true
		for _, suffix := range companions {
			first[name+suffix] = true
		}
	}
	return append(slices.Sorted(maps.Keys(first)), slices.Sorted(maps.Keys(others))...)
}

// apply first removes what is not wanted, so that no database begins beside the log of another one.
func (st stateStep) apply(_ context.Context, r *run) error {
	o, err := r.sys.lookup(serviceUser, serviceUser)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, file := range st.files {
		wanted[file.Name] = true
	}
	entries, err := os.ReadDir(r.sys.at(stateDir))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if wanted[entry.Name()] || setAside(entry.Name()) {
			continue
		}
		if err := os.Remove(filepath.Join(r.sys.at(stateDir), entry.Name())); err != nil {
			return err
		}
	}
	for _, file := range st.files {
		if err := r.sys.writeFile(filepath.Join(stateDir, file.Name), file.Content, file.Mode.Perm(), o); err != nil {
			return err
		}
	}
	return nil
}

func (st stateStep) check(_ context.Context, r *run) error {
	now, err := collectState(&r.sys.reader)
	if err != nil {
		return err
	}
	for _, file := range st.files {
		if now[file.Name] != sumOf(file.Content) {
			return fmt.Errorf("%s/%s is not what was written a moment ago", stateDir, file.Name)
		}
	}
	if len(now) != len(st.files) {
		return fmt.Errorf("%s has %d files, not %d", stateDir, len(now), len(st.files))
	}
	return nil
}
