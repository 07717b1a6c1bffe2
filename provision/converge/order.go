package converge

import (
	"cmp"
	"slices"
)

// dependency is a thing that can be wrong, and those whose failure makes it fail. Both are ids of findings.
type dependency struct {
	id    string
	needs []string
}

// dependencies are in the order in which a person has to mend them.
func dependencies() []dependency {
	machine := []string{"disk-full", "inodes"}
	files := []string{"settings", "keys", "release", "user", "state"}
	return []dependency{
		{FindingUnfinished, nil}, {string(RefusedOS), nil}, {"server", nil}, {"disk-full", nil}, {"disk-free", []string{"disk-full"}}, {"inodes", nil}, {"memory", nil}, {"oom", nil}, {"clock", nil}, {"dns", nil},
		{"packages", nil}, {"dpkg", machine}, {"selinux", nil},
		{string(RefusedSettings), nil}, {"keys", nil}, {"release", nil}, {"user", nil}, {"state", []string{"user"}}, {"state-file", []string{"user"}},
		{"port", nil}, {"stopped", nil}, {"socket", []string{"port", "user"}},
		{"service", slices.Concat(machine, files, []string{"socket", "oom"})},
		{"adapter", slices.Concat(machine, files, []string{"socket", "service"})},
		{"port-443", nil}, {"site", nil}, {"nginx-conf", nil}, {string(RefusedTLS), []string{"dns"}}, {"certificate", []string{"clock"}},
		{string(RefusedNginx), []string{"port", "port-443", "certificate"}},
		{"web", []string{"adapter", "service", "socket", "nginx", "site", "certificate"}},
		{"firewall", nil}, {"web-port", []string{"web", "firewall"}},
		{"egress", []string{"dns"}}, {string(RefusedRegion), nil},
		{"no-key", []string{"egress", "dns", string(RefusedRegion), "clock"}},
		{"timer", nil}, {"timer-run", slices.Concat(machine, []string{"settings", "dns", "clock"})}, {"fail2ban", nil}, {"docker", nil},
		{"drift", []string{"socket", "service", "release", "user", "state", "site", "nginx", "firewall", "timer", "fail2ban", "certificate", "settings"}},
	}
}

// inOrder puts findings in the order of their dependencies, and says of each that follows from another one which that is, at the
// root. It is pure.
func inOrder(found []Finding) []Finding {
	all := dependencies()
	rank := func(f Finding) int {
		if i := slices.IndexFunc(all, func(d dependency) bool { return d.id == f.ID }); i >= 0 {
			return i
		}
		return len(all) // the rest depends on nothing
	}
	ordered := slices.SortedStableFunc(slices.Values(found), func(a, b Finding) int { return cmp.Compare(rank(a), rank(b)) })
	for i := range ordered {
		at := rank(ordered[i])
		if at == len(all) {
			continue
		}
		for _, before := range ordered[:i] {
			if slices.Contains(all[at].needs, before.ID) {
				ordered[i].Follows = cmp.Or(before.Follows, before.ID)
				break
			}
		}
	}
	return ordered
}
