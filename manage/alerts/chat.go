package alerts

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// slackChannel is an incoming webhook of Slack, or of what speaks its language, such as Mattermost.
type slackChannel struct {
	poster
	to *url.URL
}

func (slackChannel) Name() string { return Slack }

func (c slackChannel) Send(ctx context.Context, m Message) error {
	_, err := c.postJSON(ctx, c.to, struct {
		Text string `json:"text"`
	}{m.ShortText()})
	return err
}

// telegramChannel is a bot of Telegram; core.telegram.org/bots/api#sendmessage.
type telegramChannel struct {
	poster
	api   *url.URL
	token config.Secret
	chat  string
}

func (telegramChannel) Name() string { return Telegram }

func (c telegramChannel) Send(ctx context.Context, m Message) error {
	reply, err := c.postJSON(ctx, c.api.JoinPath("bot"+c.token.Reveal(), "sendMessage"), struct {
		Chat string `json:"chat_id"`
		Text string `json:"text"`
	}{c.chat, m.ShortText()})
	if err != nil {
		return err
	}
	var said struct {
		OK bool `json:"ok"`
	}
	if err := json.Unmarshal(reply, &said); err != nil || !said.OK {
		return fmt.Errorf("%s refused it: %s", c.api.Host, oneLine(string(reply)))
	}
	return nil
}

// feishuChannel is a custom bot of Feishu or Lark. It says what is wrong in a 200.
type feishuChannel struct {
	poster
	to     *url.URL
	secret config.Secret
}

type chatText struct {
	Text string `json:"text"`
}

type feishuBody struct {
	Timestamp string   `json:"timestamp,omitempty"`
	Sign      string   `json:"sign,omitempty"`
	Type      string   `json:"msg_type"`
	Content   chatText `json:"content"`
}

func (feishuChannel) Name() string { return Feishu }

// Send signs as Feishu's guide to custom bots says: HMAC-SHA256 of nothing, whose key is the seconds, a line's end and the secret.
func (c feishuChannel) Send(ctx context.Context, m Message) error {
	body := feishuBody{Type: "text", Content: chatText{m.ShortText()}}
	if secret := c.secret.Reveal(); secret != "" {
		body.Timestamp = strconv.FormatInt(m.Time.Unix(), 10)
		body.Sign = signBase64(body.Timestamp+"\n"+secret, "")
	}
	reply, err := c.postJSON(ctx, c.to, body)
	if err != nil {
		return err
	}
	var said struct {
		Code *int `json:"code"`
	}
	if err := json.Unmarshal(reply, &said); err != nil || said.Code == nil || *said.Code != 0 {
		return fmt.Errorf("%s refused it: %s", c.to.Host, oneLine(string(reply)))
	}
	return nil
}

// dingtalkChannel is a custom robot of DingTalk. It says what is wrong in a 200.
type dingtalkChannel struct {
	poster
	to     *url.URL
	secret config.Secret
}

type dingtalkBody struct {
	Type string `json:"msgtype"`
	Text struct {
		Content string `json:"content"`
	} `json:"text"`
}

func (dingtalkChannel) Name() string { return DingTalk }

// Send signs as DingTalk's guide to custom robots says: HMAC-SHA256 of the milliseconds, a line's end and the secret, by the secret.
func (c dingtalkChannel) Send(ctx context.Context, m Message) error {
	body := dingtalkBody{Type: "text"}
	body.Text.Content = m.ShortText()
	to := *c.to
	if secret := c.secret.Reveal(); secret != "" {
		at := strconv.FormatInt(m.Time.UnixMilli(), 10)
		query := to.Query()
		query.Set("timestamp", at)
		query.Set("sign", signBase64(secret, at+"\n"+secret))
		to.RawQuery = query.Encode()
	}
	reply, err := c.postJSON(ctx, &to, body)
	if err != nil {
		return err
	}
	var said struct {
		Code *int `json:"errcode"`
	}
	if err := json.Unmarshal(reply, &said); err != nil || said.Code == nil || *said.Code != 0 {
		return fmt.Errorf("%s refused it: %s", c.to.Host, oneLine(string(reply)))
	}
	return nil
}
