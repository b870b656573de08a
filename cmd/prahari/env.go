package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"prahari/evidence"
)

// env is what a command may touch of the world around it.
type env struct {
	in                    io.Reader
	out, err              io.Writer
	getenv                func(string) string
	now                   func() time.Time // the machine's clock, for what is collected; nil: time.Now
	inTTY, outTTY, errTTY bool

	global *globals // flags of the root command
}

// globals are the flags that every command takes.
type globals struct {
	workspace string
	database  string
	operator  string
	json      bool
	quiet     bool
	dryRun    bool // --dry-run of any command
	rehearse  bool // and of one whose transaction is done and taken back
	verbose   bool
	logging   logging
}

// run is the whole program: it returns the exit code and lets nothing escape.
func run(ctx context.Context, e env, args []string) int {
	e.global = &globals{}
	root := newRoot(e)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	err = errors.Join(err, e.global.logging.close())
	code, say := outcome(ctx, err)
	switch {
	case say != "" && e.global.logging.onlyJSON():
		e.log().Error("ended", "exit_code", code, "error", errors.New(say))
	case say != "":
		fmt.Fprintln(e.err, "prahari: "+evidence.Printable(say))
	}
	return code
}

// say tells the user what happens, on stderr, unless --quiet.
func (e env) say(format string, args ...any) {
	if !e.global.quiet && !e.global.logging.onlyJSON() {
		fmt.Fprintln(e.err, evidence.Printable(fmt.Sprintf(format, args...)))
	}
}

// operator names who acts, for the custody log.
func (e env) operator() string {
	for _, name := range []string{e.global.operator, e.getenv("PRAHARI_OPERATOR"), e.getenv("USER"), "unnamed"} {
		if name = strings.TrimSpace(name); name != "" {
			return "analyst:" + evidence.Caption(name, 60)
		}
	}
	return ""
}

// ask prompts on stderr and reads one line of stdin.
func (e env) ask(prompt string) (string, error) {
	fmt.Fprint(e.err, prompt+" ")
	line, err := readLine(e.in)
	if err != nil {
		return "", fmt.Errorf("reading the answer to %q: %w", prompt, err)
	}
	return line, nil
}

// askSecret is ask without an echo where stdin is a terminal.
func (e env) askSecret(prompt string) (string, error) {
	file, isFile := e.in.(*os.File)
	if !e.inTTY || !isFile {
		return e.ask(prompt)
	}
	fmt.Fprint(e.err, prompt+" ")
	secret, err := term.ReadPassword(int(file.Fd()))
	fmt.Fprintln(e.err)
	if err != nil {
		return "", fmt.Errorf("reading the answer to %q: %w", prompt, err)
	}
	return string(secret), nil
}

// readLine reads byte by byte, so that the next prompt finds its own line.
func readLine(r io.Reader) (string, error) {
	var line []byte
	b := make([]byte, 1)
	for len(line) < 4096 {
		n, err := r.Read(b)
		if n == 1 {
			if b[0] == '\n' {
				return strings.TrimRight(string(line), "\r"), nil
			}
			line = append(line, b[0])
		}
		if err != nil {
			if err == io.EOF && len(line) > 0 {
				return string(line), nil
			}
			return "", err
		}
	}
	return "", fmt.Errorf("a line of more than 4096 bytes")
}
