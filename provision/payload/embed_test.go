//go:build payloads

package payload

import "testing"

// What make payloads has built is whole, and for both kinds of server. make dist runs this.
func TestCarried_release(t *testing.T) {
	set, err := carried(embedded())
	if err != nil || len(set) != 2 {
		t.Fatalf("%+v, %v", set, err)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		p, ok := set.For(arch)
		if !ok {
			t.Errorf("nothing for %s", arch)
			continue
		}
		if _, err := whole(p); err != nil {
			t.Errorf("%s: %v", arch, err)
		}
	}
}
