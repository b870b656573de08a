package scanner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/gotd/td/telegram"
	"github.com/gotd/td/telegram/auth"
	"github.com/gotd/td/telegram/auth/qrlogin"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/tgerr"

	"prahari/evidence"
)

// Prompts ask a person for what a sign-in needs. With QR set neither Phone nor
// Code is asked for.
type Prompts struct {
	Phone    func(context.Context) (string, error)
	Code     func(context.Context) (string, error)
	Password func(context.Context) (string, error)
	QR       func(ctx context.Context, link string) error // may be called again when the link expires
}

// A User is the account that signed in.
type User struct {
	ID          int64
	MaskedPhone string
	Premium     bool // other limits hold
}

// Login signs in and keeps the session. An account that is signed in stays so.
func (s *Scanner) Login(ctx context.Context, p Prompts) (User, error) {
	var user User
	updates := tg.NewUpdateDispatcher()
	scanned := qrlogin.OnLoginToken(updates)
	err := s.connected(ctx, link{handler: updates}, func(ctx context.Context, client *telegram.Client) error {
		status, err := client.Auth().Status(ctx)
		if err != nil {
			return fmt.Errorf("asking whether the account is signed in: %w", err)
		}
		if !status.Authorized {
			if p.QR != nil {
				err = s.byQR(ctx, client, scanned, p)
			} else {
				err = s.byCode(ctx, client, p)
			}
			if err != nil {
				return err
			}
		}
		self, err := client.Self(ctx)
		if err != nil {
			return fmt.Errorf("asking who signed in: %w", err)
		}
		user = User{self.ID, maskedPhone(self.Phone), self.Premium}
		return nil
	})
	return user, err
}

func maskedPhone(digits string) string {
	return evidence.MaskValue("phone", evidence.Full, evidence.Text(digits))
}

func (s *Scanner) byCode(ctx context.Context, client *telegram.Client, p Prompts) error {
	phone, err := p.Phone(ctx)
	if err != nil {
		return err
	}
	phone = strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) || r == '+' {
			return r
		}
		return -1
	}, phone)
	sent, err := client.Auth().SendCode(ctx, phone, auth.SendCodeOptions{})
	switch {
	case tgerr.Is(err, "PHONE_NUMBER_INVALID", "PHONE_NUMBER_UNOCCUPIED"):
		return fmt.Errorf("%w: write it with the country code, as in +91…", ErrPhoneUnknown)
	case err != nil:
		return fmt.Errorf("asking for a code: %w", err)
	}
	code, ok := sent.(*tg.AuthSentCode)
	if !ok {
		return nil // Telegram let the account in without one
	}
	answer, err := p.Code(ctx)
	if err != nil {
		return err
	}
	_, err = client.Auth().SignIn(ctx, phone, strings.TrimSpace(answer), code.PhoneCodeHash)
	var signUp *auth.SignUpRequired
	switch {
	case errors.Is(err, auth.ErrPasswordAuthNeeded):
		return s.byPassword(ctx, client, p)
	case tgerr.Is(err, "PHONE_CODE_INVALID", "PHONE_CODE_EXPIRED", "PHONE_CODE_EMPTY"):
		return fmt.Errorf("%w: run the command again for a new one", ErrWrongCode)
	case errors.As(err, &signUp), tgerr.Is(err, "PHONE_NUMBER_UNOCCUPIED"):
		return fmt.Errorf("%w: make one with Telegram's own app first", ErrPhoneUnknown)
	case err != nil:
		return fmt.Errorf("signing in: %w", err)
	}
	return nil
}

func (s *Scanner) byPassword(ctx context.Context, client *telegram.Client, p Prompts) error {
	password, err := p.Password(ctx)
	if err != nil {
		return err
	}
	_, err = client.Auth().Password(ctx, password)
	switch {
	case errors.Is(err, auth.ErrPasswordInvalid), tgerr.Is(err, "PASSWORD_HASH_INVALID"):
		return fmt.Errorf("%w: run the command again", ErrWrongPassword)
	case err != nil:
		return fmt.Errorf("two-step verification: %w", err)
	}
	return nil
}

func (s *Scanner) byQR(ctx context.Context, client *telegram.Client, scanned qrlogin.LoggedIn, p Prompts) error {
	_, err := client.QR().Auth(ctx, scanned, func(ctx context.Context, token qrlogin.Token) error {
		return p.QR(ctx, token.URL())
	})
	if tgerr.Is(err, "SESSION_PASSWORD_NEEDED") {
		return s.byPassword(ctx, client, p)
	}
	if err != nil {
		return fmt.Errorf("signing in by QR: %w", err)
	}
	return nil
}
