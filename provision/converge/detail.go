package converge

import (
	"fmt"
	"strings"
)

const maxDetail = 16 << 10 // bytes

// fileDetail shows what a step would change in a file. A secret file shows nothing of its content.
func fileDetail(now PathState, st fileStep) string {
	head := fmt.Sprintf("%04o %s:%s", st.mode, rootUser, st.group)
	if now.Kind == PathFile {
		head = fmt.Sprintf("%04o -> %s", now.Mode, head)
	} else {
		head = "new, " + head
	}
	if st.secret {
		return head
	}
	detail := head + "\n" + diffLines(string(now.Content), string(st.content))
	if len(detail) > maxDetail {
		detail = detail[:strings.LastIndexByte(detail[:maxDetail], '\n')+1] + "…\n"
	}
	return strings.TrimRight(detail, "\n")
}

// diffLines lists the lines that differ, "-" for the old and "+" for the new, between what the two texts share.
func diffLines(before, after string) string {
	a, b := splitLines(before), splitLines(after)
	common := commonLines(a, b)
	var out strings.Builder
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			out.WriteString("-" + a[i] + "\n")
			i++
		default:
			out.WriteString("+" + b[j] + "\n")
			j++
		}
	}
	return out.String()
}

// maxDiffLines bounds the table below; of a longer file only the beginning is shown.
const maxDiffLines = 2000

func splitLines(text string) []string {
	if text == "" {
		return nil
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	return lines[:min(len(lines), maxDiffLines)]
}

// commonLines holds, at [i][j], how many lines a[i:] and b[j:] share in order.
func commonLines(a, b []string) [][]int {
	table := make([][]int, len(a)+1)
	for i := range table {
		table[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				table[i][j] = table[i+1][j+1] + 1
			} else {
				table[i][j] = max(table[i+1][j], table[i][j+1])
			}
		}
	}
	return table
}
