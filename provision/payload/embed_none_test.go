//go:build !payloads

package payload

import "testing"

func TestCarried_fromSource(t *testing.T) {
	if set, err := carried(embedded()); err != nil || len(set) > 0 {
		t.Errorf("a gca from source carries %+v, %v", set, err)
	}
}
