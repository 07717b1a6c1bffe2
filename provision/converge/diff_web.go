package converge

import (
	"fmt"
	"slices"
)

// nginx puts the site in place, after Nginx itself has found it good.
func (d *differ) nginx() {
	d.begin(GroupNginx)
	at := len(d.steps)
	connections := newConnections(d.f, d.s)
	changed := d.file(fileStep{nginxMain, []byte(d.texts[TemplateMain]), 0o644, rootUser, false})
	changed = d.file(fileStep{nginxSite, []byte(d.texts[TemplateSite]), 0o644, rootUser, false}) || changed
	changed = d.link(nginxEnabled, nginxSite) || changed
	if d.f.path(nginxDefault).Kind != PathAbsent || !d.f.nginxInstalled() {
		changed = true
		d.add(KindLink, nginxDefault, "take the stock default site out of Nginx", absentStep{nginxDefault})
	}
	if text := string(d.f.path(nginxConf).Content); connections.raises() && !d.f.nginxInstalled() || connections.edit(text) != text {
		changed = true
		d.add(KindFile, nginxConf, fmt.Sprintf("let each Nginx worker hold %d connections", connections.most), connections)
	}
	if changed {
		d.steps = slices.Insert(d.steps, at, d.step(KindCheck, "nginx", "let Nginx check the site before it is in place",
			stagedNginxStep{d.texts[TemplateSite], d.texts[TemplateMain], connections}))
	}
	limits := d.f.Hardware.OpenFiles > 0 &&
		d.file(fileStep{nginxLimits, []byte(d.texts[TemplateNginxUnit]), 0o644, rootUser, false})
	if hw := d.f.Hardware; hw.OpenFiles < workerFiles {
		d.remark("Nginx may open %d files, for this server allows no more; %d would carry more streams", hw.OpenFiles, workerFiles)
	}
	unit := d.f.Units[nginxUnit]
	if !changed && !limits && !d.certChanged && unit.Active && unit.Enabled {
		return
	}
	d.webChanged = true
	title := "reload Nginx"
	if !unit.Active {
		title = "start Nginx"
	}
	d.add(KindNginx, "nginx", title, nginxStep{enable: !unit.Enabled, reread: limits})
}
