-- A session file as the first version of the schema had it, with a session of three turns, the last one open, and
-- another owner's turn among them.
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,
    session TEXT NOT NULL,
    UNIQUE (owner, session)
) STRICT;
CREATE TABLE turns (
    seq INTEGER PRIMARY KEY,
    turn BLOB NOT NULL UNIQUE,
    session INTEGER NOT NULL REFERENCES sessions (id),
    persona TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    source TEXT NOT NULL,
    started_at INTEGER NOT NULL, -- nanoseconds since 1970
    question TEXT NOT NULL,
    notes TEXT NOT NULL,         -- JSON: array of note ids
    has_output INTEGER NOT NULL DEFAULT 0,
    partial TEXT,                -- JSON: Transcript of the last checkpoint of an open turn
    outcome TEXT                 -- JSON: Outcome of an ended turn
) STRICT;
CREATE INDEX turns_of_session ON turns (session, seq);
CREATE INDEX turns_by_time ON turns (started_at);
CREATE INDEX open_turns ON turns (seq) WHERE outcome IS NULL;
CREATE TABLE claims (
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    digest BLOB NOT NULL,
    turn BLOB NOT NULL,
    created_at INTEGER NOT NULL, -- nanoseconds since 1970
    PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX claims_of_turn ON claims (turn);
CREATE INDEX claims_by_time ON claims (created_at);
-- Empty: health checks write to it and take it back.
CREATE TABLE probe (filler BLOB NOT NULL) STRICT;
PRAGMA application_id = 1213481289;
PRAGMA user_version = 1;
INSERT INTO sessions VALUES (1, 'public', 's'), (2, 'key-2', 's');
INSERT INTO turns VALUES
    (1, x'01900000000070008000000000000001', 1, 'hitesh', 'openai', 'gpt-4o-mini', 'model', 1764000000123456789,
        'Docker kya hai?', '["docker"]', 1, NULL,
        '{"end":"completed","transcript":{"steps":[{"step":"output","content":"Dabba.","deltas":[3,3],"finished_at":"2025-11-24T16:00:02Z"}],"usage":{"prompt_tokens":900,"completion_tokens":9,"cached_tokens":0}},"source":"model","provider":"openai","model":"gpt-4o-mini","ended_at":"2025-11-24T16:00:02Z"}'),
    (2, x'01900000000070008000000000000002', 2, 'hitesh', 'openai', 'gpt-4o-mini', 'model', 1764000001123456789,
        'another owner''s', '[]', 1, NULL,
        '{"end":"completed","transcript":{"steps":[{"step":"output","content":"ok","deltas":[2],"finished_at":"2025-11-24T16:00:02Z"}]},"source":"cache","provider":"openai","model":"gpt-4o-mini","ended_at":"2025-11-24T16:00:02Z"}'),
    (5, x'01900000000070008000000000000003', 1, 'hitesh', 'openai', 'gpt-4o-mini', 'joined', 1764000002123456789,
        'Aur compose?', '[]', 0, NULL,
        '{"end":{"failed":"provider_timeout"},"transcript":{"steps":[]},"source":"joined","provider":"openai","model":"gpt-4o-mini","ended_at":"2025-11-24T16:00:05Z"}'),
    (6, x'01900000000070008000000000000004', 1, 'hitesh', 'openai', 'gpt-4o-mini', 'model', 1764000003123456789,
        'Aur swarm?', '[]', 0, '{"steps":[{"step":"output","content":"Adha","deltas":[4]}]}', NULL);
INSERT INTO claims VALUES ('public', 'k', x'0101010101010101010101010101010101010101010101010101010101010101',
    x'01900000000070008000000000000001', 9000000000000000000);
