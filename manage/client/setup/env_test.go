package setup

import "testing"

func TestEnv_set(t *testing.T) {
	f := func(text, raw, want string) {
		t.Helper()
		if got := change(envFormat{}, text, "KEY", raw); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f("", "KEY=v", "KEY=v\n")
	f("A=1", "KEY=v", "A=1\nKEY=v\n")
	f("KEY=a\nB=2\n", "KEY=v", "KEY=v\nB=2\n")
	f("export KEY = a\r\nB=2\r\n", "KEY=v", "KEY=v\r\nB=2\r\n")
	f("KEY=a\nKEY=b\n", "KEY=v", "KEY=a\nKEY=v\n") // the last one counts
	f("# KEY=a\nKEYS=b\n", "KEY=v", "# KEY=a\nKEYS=b\nKEY=v\n")
	f("A=1\nKEY=a\nB=2", "", "A=1\nB=2")
	f("A=1\n", "", "A=1\n")
	for value, want := range map[string]string{"http://h:1": "K=http://h:1", `a "b" $c`: `K="a \"b\" $c"`} {
		if got := envLine("K", value); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
