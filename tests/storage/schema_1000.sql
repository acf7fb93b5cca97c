-- A queue as queuectl 1.0.0 left it before there was an audit: made by its migrations, with jobs in it.
PRAGMA application_id = 1903519093;
PRAGMA auto_vacuum = incremental;
PRAGMA journal_mode = wal;
BEGIN TRANSACTION;
CREATE TABLE attempts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        worker_id INTEGER NOT NULL,
        slot INTEGER NOT NULL,
        pid INTEGER,
        proc_starttime INTEGER,
        started_at INTEGER NOT NULL,
        finished_at INTEGER,
        outcome TEXT,
        exit_code INTEGER,
        signal INTEGER,
        error TEXT,
        max_rss INTEGER,
        cpu_user REAL,
        cpu_system REAL,
        output_size INTEGER,
        tail BLOB,
        UNIQUE (job_id, number)
    );
INSERT INTO "attempts" VALUES(1,1,1,1,0,NULL,NULL,1800000000000,1800000000000,'completed',0,NULL,NULL,NULL,NULL,NULL,4,X'6F75740A');
INSERT INTO "attempts" VALUES(2,2,1,1,1,NULL,NULL,1800000000000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE job_counts (
        queue TEXT NOT NULL,
        state TEXT NOT NULL,
        n INTEGER NOT NULL,
        PRIMARY KEY (queue, state)
    ) WITHOUT ROWID
    ;
INSERT INTO "job_counts" VALUES('default','completed',1);
INSERT INTO "job_counts" VALUES('default','held',1);
INSERT INTO "job_counts" VALUES('default','pending',1);
INSERT INTO "job_counts" VALUES('default','processing',1);
INSERT INTO "job_counts" VALUES('default','scheduled',1);
CREATE TABLE job_specs (
        job_id INTEGER PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
        command TEXT NOT NULL,
        argv TEXT,
        cwd TEXT NOT NULL,
        env TEXT,
        stdin TEXT,
        timeout_ms INTEGER NOT NULL,
        kill_grace_ms INTEGER NOT NULL,
        backoff_base REAL NOT NULL,
        backoff_max_ms INTEGER NOT NULL,
        backoff_jitter REAL NOT NULL,
        no_retry_exit_codes TEXT,
        output_limit INTEGER NOT NULL,
        tags TEXT,
        description TEXT
    );
INSERT INTO "job_specs" VALUES(1,'true',NULL,'/',NULL,NULL,0,10000,2.0,3600000,0.1,NULL,10485760,NULL,NULL);
INSERT INTO "job_specs" VALUES(2,'echo its',NULL,'/','{"K": "v"}',NULL,0,10000,2.0,3600000,0.1,NULL,10485760,'["a", "b"]','old');
INSERT INTO "job_specs" VALUES(3,'true',NULL,'/',NULL,NULL,0,10000,2.0,3600000,0.1,NULL,10485760,NULL,NULL);
INSERT INTO "job_specs" VALUES(4,'true',NULL,'/',NULL,NULL,0,10000,2.0,3600000,0.1,NULL,10485760,NULL,NULL);
INSERT INTO "job_specs" VALUES(5,'true',NULL,'/',NULL,NULL,0,10000,2.0,3600000,0.1,NULL,10485760,NULL,NULL);
CREATE TABLE jobs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        public_id TEXT NOT NULL UNIQUE,
        queue TEXT NOT NULL,
        priority INTEGER NOT NULL,
        state TEXT NOT NULL,
        run_at INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        max_retries INTEGER NOT NULL,
        claim_seq INTEGER NOT NULL DEFAULT 0,
        worker_id INTEGER REFERENCES workers (id),
        unique_key TEXT,
        reason TEXT,
        cancel_requested_at INTEGER,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        finished_at INTEGER
    );
INSERT INTO "jobs" VALUES(1,'one','default',0,'completed',1800000000000,1,3,1,NULL,'k',NULL,NULL,1800000000000,1800000000000,1800000000000);
INSERT INTO "jobs" VALUES(2,'two','default',0,'processing',1800000000000,1,3,1,1,NULL,NULL,NULL,1800000000000,1800000000000,NULL);
INSERT INTO "jobs" VALUES(3,'later','default',0,'scheduled',1800000000005,0,3,0,NULL,NULL,NULL,NULL,1800000000000,1800000000000,NULL);
INSERT INTO "jobs" VALUES(4,'held','default',0,'held',1800000000000,0,3,0,NULL,NULL,NULL,NULL,1800000000000,1800000000000,NULL);
INSERT INTO "jobs" VALUES(5,'ran','default',0,'pending',1800000000000,0,3,0,NULL,NULL,NULL,NULL,1800000000000,1800000000000,NULL);
CREATE TABLE workers (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        uuid TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        host TEXT NOT NULL,
        boot_id TEXT NOT NULL,
        pid INTEGER NOT NULL,
        started_at INTEGER NOT NULL,
        ended_at INTEGER
    );
INSERT INTO "workers" VALUES(1,'uuid-1','default-0','h','b',1,1800000000000,NULL);
CREATE INDEX jobs_ready ON jobs (queue, priority DESC, run_at, id) WHERE state = 'pending';
CREATE INDEX jobs_due ON jobs (run_at, id) WHERE state IN ('scheduled', 'failed');
CREATE INDEX jobs_running ON jobs (worker_id) WHERE state = 'processing';
CREATE INDEX jobs_finished ON jobs (state, finished_at, id) WHERE state IN ('completed', 'dead', 'cancelled');
CREATE UNIQUE INDEX jobs_unique_key ON jobs (unique_key)
    WHERE unique_key IS NOT NULL AND state NOT IN ('completed', 'dead', 'cancelled')
    ;
CREATE TRIGGER jobs_count_insert AFTER INSERT ON jobs BEGIN
        INSERT INTO job_counts (queue, state, n) VALUES (new.queue, new.state, 1)
        ON CONFLICT (queue, state) DO UPDATE SET n = n + 1;
    END;
CREATE TRIGGER jobs_count_update AFTER UPDATE OF state, queue ON jobs
    WHEN old.state <> new.state OR old.queue <> new.queue BEGIN
        UPDATE job_counts SET n = n - 1 WHERE queue = old.queue AND state = old.state;
        INSERT INTO job_counts (queue, state, n) VALUES (new.queue, new.state, 1)
        ON CONFLICT (queue, state) DO UPDATE SET n = n + 1;
    END;
CREATE TRIGGER jobs_count_delete AFTER DELETE ON jobs BEGIN
        UPDATE job_counts SET n = n - 1 WHERE queue = old.queue AND state = old.state;
    END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('jobs',5);
INSERT INTO "sqlite_sequence" VALUES('workers',1);
INSERT INTO "sqlite_sequence" VALUES('attempts',2);
COMMIT;
PRAGMA user_version = 1000;
