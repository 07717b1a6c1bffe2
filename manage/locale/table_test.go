package locale

import "testing"

// Tables keep their columns, whatever their words take, and the names in them.
func TestTable(t *testing.T) {
	english := `ID         LABEL   GROUP  STATE     REQUESTS  SUCCESS  REASON                        UNTIL
0a1b-1111  东京      -      active    1204      99.9%    out of quota for some models  15:04:05 (3m0s)
                                                       gemini-3-pro: out of quota    15:04:05 (3m0s)
2c3d-2222  active  none   disabled  3         0.0%     reported as leaked            -
`
	want := `编号       标签    分组  状态    请求  成功率  原因                      恢复时间
0a1b-1111  东京    -     活跃    1204  99.9%   额度已用完（部分模型）    15:04:05 (3m0s)
                                               gemini-3-pro：额度已用完  15:04:05 (3m0s)
2c3d-2222  active  none  已停用  3     0.0%    已被举报泄露              -
`
	if got := Chinese().Table(english); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := (Words{}).Table(english); got != english {
		t.Errorf("in English it is\n%s", got)
	}
	if got := Chinese().Table(""); got != "" {
		t.Errorf("of nothing it makes %q", got)
	}
}
