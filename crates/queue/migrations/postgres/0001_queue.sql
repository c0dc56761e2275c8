-- Times are milliseconds since 1970; 0 is long ago. What differs from SQLite's is the kind of the
-- numbers that count up, and of bytes.
CREATE TABLE items (
    n BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    created BIGINT NOT NULL,
    model TEXT NOT NULL,
    version TEXT NOT NULL,
    channels BIGINT NOT NULL,
    height BIGINT NOT NULL,
    width BIGINT NOT NULL,
    classes TEXT NOT NULL,
    probabilities TEXT NOT NULL,
    reason TEXT NOT NULL,
    first TEXT,
    -- How many people are asked if they agree, how many are asked as things stand, and how many answered.
    people BIGINT NOT NULL,
    wanted BIGINT NOT NULL,
    answers BIGINT NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'open',
    answer TEXT,
    class BIGINT,
    -- When the last answer was given, if nobody is asked any more.
    answered BIGINT,
    lease TEXT,
    leased_by TEXT,
    lease_until BIGINT NOT NULL DEFAULT 0,
    callback TEXT,
    callback_due BIGINT,
    callback_claimed BIGINT NOT NULL DEFAULT 0,
    callback_attempts BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX items_wanted ON items (n) WHERE answers < wanted;
CREATE INDEX items_leased ON items (lease_until);
CREATE INDEX items_answered ON items (answered);
CREATE INDEX items_callback ON items (callback_due) WHERE callback_due IS NOT NULL;

-- What is large, and what retention deletes.
CREATE TABLE contents (
    item TEXT PRIMARY KEY REFERENCES items (id),
    media_type TEXT,
    picture BYTEA,
    input BYTEA
);

-- Only ever added to: a row with `undoes` takes an answer back.
CREATE TABLE answers (
    n BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item TEXT NOT NULL REFERENCES items (id),
    reviewer TEXT NOT NULL,
    at BIGINT NOT NULL,
    answer TEXT,
    -- What the client calls this answer, and what it was told: the same on a retry.
    key TEXT,
    state TEXT NOT NULL,
    undoes BIGINT UNIQUE REFERENCES answers (n),
    UNIQUE (reviewer, key)
);
CREATE INDEX answers_item ON answers (item);
CREATE INDEX answers_reviewer ON answers (reviewer, n);

CREATE TABLE skips (
    item TEXT NOT NULL REFERENCES items (id),
    reviewer TEXT NOT NULL,
    skipped_until BIGINT NOT NULL,
    PRIMARY KEY (item, reviewer)
);
