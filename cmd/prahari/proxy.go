package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"prahari/scanner"
)

// proxy reads what stands between this machine and Telegram, if anything: the
// address from the config, the secret from the environment or a file of its own.
func (w *workspace) proxy() (scanner.Proxy, error) {
	t := w.config.Telegram
	if t.Proxy == "" {
		if t.ProxySecretFile != "" || w.env.getenv("PRAHARI_PROXY_SECRET") != "" {
			w.env.log().Warn("there is a secret for a proxy, and telegram.proxy names none: connections are direct")
		}
		return scanner.Proxy{}, nil
	}
	secret := w.env.getenv("PRAHARI_PROXY_SECRET")
	if secret == "" && t.ProxySecretFile != "" {
		path := t.ProxySecretFile
		if !filepath.IsAbs(path) {
			path = w.path(path)
		}
		data, err := secretFile(path, "proxy's secret")
		if err != nil {
			return scanner.Proxy{}, err
		}
		secret = strings.TrimSpace(string(data))
	}
	p, err := scanner.ParseProxy(t.Proxy, secret)
	if err != nil {
		return p, fmt.Errorf("%s: telegram.proxy: %w; the secret comes from $PRAHARI_PROXY_SECRET or telegram.proxy_secret_file", w.path(configName), err)
	}
	return p, nil
}
