-- Waits that Telegram asked an account for, so that the next command keeps them too. Valid in SQLite and in PostgreSQL.
CREATE TABLE flood_wait (
	account TEXT NOT NULL, method TEXT NOT NULL, until_ms BIGINT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (account, method)
);
