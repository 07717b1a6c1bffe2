package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// testDeaths has deploys die after records of their journals, by the worker's death and by a power cut. GCA_DEATHS says how many,
// the seed which; there are two for each record.
func testDeaths(t *testing.T, random *rand.Rand, gate chan struct{}, calm *cutRig, want string) {
	records, err := strconv.Atoi(strings.TrimSpace(calm.on("cat /var/lib/gca/journal/*_*/journal | wc -l")))
	if err != nil || records < 20 {
		t.Fatalf("a whole deploy has %d records, %v", records, err)
	}
	deaths := random.Perm(2 * records)
	for _, death := range deaths[:min(int(fromEnv(t, "GCA_DEATHS", 2)), len(deaths))] {
		record, power := death/2+1, death%2 == 1
		name := fmt.Sprintf("killed after record %d of %d", record, records)
		if power {
			name = fmt.Sprintf("power cut after record %d of %d", record, records)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gate <- struct{}{}
			defer func() { <-gate }()
			testDeath(t, record, power, record == records, want)
		})
	}
}

// atRecord ends when the journal has so many records, having killed all of the worker's unit where that is wanted.
const atRecord = `touch /root/watching
until [ "$(wc -l 2>/dev/null </var/lib/gca/journal/open/journal || echo 0)" -ge %d ]; do ! ls /var/lib/gca/journal/*_* >/dev/null 2>&1 || exit 3; done
%s`

func testDeath(t *testing.T, record int, power, last bool, want string) {
	r := newCutRig(t)
	kill := "systemctl kill --signal=SIGKILL gca-deploy.service"
	if power {
		kill = ":"
	}
	watch := r.server.Command(t.Context(), "timeout", "120", "sh", "-c", fmt.Sprintf(atRecord, record, kill))
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	r.on("until [ -e /root/watching ]; do :; done; rm /root/watching")
	struck := make(chan error, 1)
	go func() {
		err := watch.Wait()
		if err == nil && power {
			if err = r.server.PowerCut(t.Context()); err == nil {
				err = r.server.Start(t.Context())
			}
		}
		struck <- err
	}()
	first := r.run(withKeys(), r.deployArgs()...)
	if err := <-struck; err != nil {
		t.Fatalf("it never came to record %d: %v, exit code %d\n%s", record, err, first.code, first.err)
	}
	if first.code != exitOK {
		wantText(t, first.err, "hint: ")
	} else if !last { // then the commit may come first
		t.Errorf("it died, and yet it ended well:\n%s%s", first.out, first.err)
	}
	second := r.run(withKeys(), r.deployArgs()...)
	if second.code != exitOK {
		t.Fatalf("exit code %d\n%s%s\nafter exit code %d\n%s", second.code, second.out, second.err, first.code, first.err)
	}
	if got := r.changed(); got != want {
		t.Errorf("it ends elsewhere than an undisturbed deploy:\n%s\n%s%s\nafter exit code %d\n%s", differ(want, got), second.out, second.err, first.code, first.err)
	}
	if got := r.run(nil, "test"); got.code != exitOK {
		t.Errorf("gca test: %s%s\nafter\n%s%s", got.out, got.err, second.out, second.err)
	}
}
