package config

// Backups says how long a deployed adapter's backups are kept on its server. The adapter itself does not read it:
// `gemini-manage backup` does, by a timer.
type Backups struct {
	KeepDays  int // BACKUP_KEEP_DAYS: older ones are removed, 1 to 3650; the newest always stays
	KeepCount int // BACKUP_KEEP_COUNT: of more, the oldest are removed, 1 to 1000
}

func defaultBackups() Backups { return Backups{KeepDays: 30, KeepCount: 60} }
