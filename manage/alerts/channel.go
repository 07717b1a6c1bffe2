package alerts

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Channel is one way to tell people. A message that it took was delivered, as far as can be known.
type Channel interface {
	// Name is the channel's kind; there is one of each.
	Name() string
	// Send ends with ctx. Its error holds no secret.
	Send(ctx context.Context, m Message) error
}

// The channels' names.
const (
	Mail     = "mail"
	Webhook  = "webhook"
	Slack    = "slack"
	Telegram = "telegram"
	Feishu   = "feishu"
	DingTalk = "dingtalk"
)

// Ways are how channels are reached, beside the settings.
type Ways struct {
	Proxy *url.URL       // for Telegram, which is shut out where Gemini is; nil is none
	Roots *x509.CertPool // nil is the system's
}

// Channels are those that the settings name. One that they name by half is there, and says what is missing.
func Channels(set Settings, w Ways) []Channel {
	var all []Channel
	add := func(c Channel) { all = append(all, discreet{c, set.Secrets()}) }
	poster := newPoster(nil, w.Roots)
	switch {
	case set.SMTP != nil && len(set.MailTo) > 0:
		add(mailChannel{smtp: set.SMTP, from: set.MailFrom, to: set.MailTo, roots: w.Roots})
	case set.SMTP != nil:
		add(halfChannel{Mail, "ALERT_MAIL_TO"})
	case len(set.MailTo) > 0:
		add(halfChannel{Mail, "ALERT_SMTP_URL"})
	}
	if set.Webhook != nil {
		add(webhookChannel{poster, set.Webhook, set.WebhookSecret})
	}
	if set.Slack != nil {
		add(slackChannel{poster, set.Slack})
	}
	switch token := set.TelegramToken.Reveal(); {
	case token != "" && set.TelegramChat != "":
		add(telegramChannel{newPoster(w.Proxy, w.Roots), set.TelegramURL, set.TelegramToken, set.TelegramChat})
	case token != "":
		add(halfChannel{Telegram, "ALERT_TELEGRAM_CHAT"})
	case set.TelegramChat != "":
		add(halfChannel{Telegram, "ALERT_TELEGRAM_TOKEN"})
	}
	if set.Feishu != nil {
		add(feishuChannel{poster, set.Feishu, set.FeishuSecret})
	}
	if set.DingTalk != nil {
		add(dingtalkChannel{poster, set.DingTalk, set.DingTalkSecret})
	}
	return all
}

// halfChannel lacks a setting.
type halfChannel struct{ name, missing string }

// Missing is the setting that a channel lacks; "" is none.
func Missing(c Channel) string {
	if d, ok := c.(discreet); ok {
		c = d.Channel
	}
	half, _ := c.(halfChannel) // of a whole one the zero value
	return half.missing
}

func (c halfChannel) Name() string { return c.name }

func (c halfChannel) Send(context.Context, Message) error {
	return errors.New(c.missing + " is not set")
}

// unreached says of a try that the network ended who did not take it, at host.
func unreached(err error, host string) error {
	var timed net.Error
	var op *net.OpError
	var dns *net.DNSError
	if errors.As(err, &op) && (op.Op == "proxyconnect" || strings.HasPrefix(op.Op, "socks")) {
		host = "the proxy"
	}
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return errors.New("no such host: " + dns.Name)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timed) && timed.Timeout():
		return fmt.Errorf("no answer within %d s from %s", SendTime/time.Second, host)
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("connection refused by " + host)
	}
	return err
}

// discreet keeps secrets out of what a channel says, and out of what is said to it.
type discreet struct {
	Channel
	secrets []string
}

func (d discreet) Send(ctx context.Context, m Message) error {
	m.Server = d.without(m.Server)
	notices := make([]Notice, 0, len(m.Notices))
	for _, n := range m.Notices {
		n.What, n.Cure = d.without(n.What), d.without(n.Cure)
		notices = append(notices, n)
	}
	m.Notices = notices
	err := d.Channel.Send(ctx, m)
	if err != nil {
		err = errors.New(d.without(err.Error()))
	}
	return err
}

func (d discreet) without(text string) string {
	for _, secret := range d.secrets {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return text
}
