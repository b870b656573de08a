-- How each account can read a source: a source moves between accounts, and comes back to one that has joined it.
CREATE TABLE source_access (
	account TEXT NOT NULL, source_id TEXT NOT NULL REFERENCES source (id), access TEXT NOT NULL, access_hash BIGINT NOT NULL,
	PRIMARY KEY (account, source_id)
);
INSERT INTO source_access (account, source_id, access, access_hash) SELECT account, id, access, access_hash FROM source WHERE kind <> 'file';
