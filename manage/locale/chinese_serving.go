package locale

// serving are what doctor finds wrong with an adapter that was deployed.
func serving() []message {
	return []message{
		{"%s does not lead to a release", "%s 没有指向任何版本"},
		{"%s does not run; its last words: %s", "%s 没有运行；它最后的输出：%s"},
		{"%s is gone, or belongs to somebody else", "%s 不见了，或者属于别的用户"},
		{"the user %s, whom the adapter runs as, is gone", "运行适配器的用户 %s 不见了"},
		{"there is no Gemini API key, neither in %s nor in GEMINI_API_KEYS", "没有 Gemini API 密钥：%s 和 GEMINI_API_KEYS 里都没有"},
		{"the adapter does not start", "适配器无法启动"},
		{"key states and usage cannot be kept", "无法保存密钥状态和用量"},
		{"Nginx has no site for the adapter: %s does not lead to one", "Nginx 没有适配器的站点：%s 没有指向它"},
		{"the certificate for %s cannot be used: %s", "%s 的证书不能用：%s"},
		{"clients refuse to connect", "客户端会拒绝连接"},
		{"the disk is full: %d MB are left", "磁盘已满：只剩 %d MB"},
		{"nothing can be written: no state, no log, no backup", "什么都写不了：状态、日志、备份都不行"},
		{"the kernel ended the adapter %s times, since it took too much memory", "适配器占用内存过多，被内核终止过 %s 次"},
		{"answers that were under way broke off", "当时正在进行的回答中断了"},
		{"gemini-manage config set MAX_CONCURRENT=256; or a server with more memory", "gemini-manage config set MAX_CONCURRENT=256；或者换一台内存更大的服务器"},
		{"the adapter does not answer at its own port %d: %s", "适配器在自己的端口 %d 上没有应答：%s"},
		{"nor does it through Nginx", "经 Nginx 也没有应答"},
		{"the adapter answers, and no key is active", "适配器有应答，但没有一个密钥活跃"},
		{"requests fail until one comes back", "在有密钥恢复之前，请求都会失败"},
		{"the adapter answers at its own port, and not through Nginx: %s", "适配器在自己的端口上有应答，但经 Nginx 没有：%s"},
		{"ufw lets no client in at the web's ports", "ufw 没有放行网页端口，客户端进不来"},
		{"who guesses passwords is not kept out", "挡不住猜密码的人"},
		{"nobody will %s", "不会有人：%s"},
		{"renew the certificate before half of its life is over", "在证书有效期过半之前续期"},
		{"back the adapter up every day", "每天备份适配器"},
		{"look every two minutes whether anybody has to be alerted", "每两分钟检查一次是否需要告警"},
	}
}
