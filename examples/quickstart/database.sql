-- A shop for software by subscription: 100 plans, 1,000 users on them, 20,000 purchases of 400 add-ons, and 600,000 days of
-- metered usage. Every row is a function of its number, so that each run makes the same database.
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
BEGIN;

CREATE TABLE plans (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price_cents INTEGER NOT NULL);
WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 100)
INSERT INTO plans SELECT i, 'Plan ' || i, 900 + 100 * (i * 37 % 50) FROM n;

CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, plan INTEGER NOT NULL);
WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
INSERT INTO users SELECT i, 'User ' || i, 'user' || i || '@example.com', 1 + i % 100 FROM n;
CREATE INDEX users_by_plan ON users (plan);

CREATE TABLE addons (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price_cents INTEGER NOT NULL);
WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 400)
INSERT INTO addons SELECT i, 'Add-on ' || i, 100 + 10 * (i * 53 % 90) FROM n;

CREATE TABLE purchases (user INTEGER NOT NULL, addon INTEGER NOT NULL);
WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i < 19999)
INSERT INTO purchases SELECT 1 + i % 1000, 1 + (i * 2654435761 % 4294967296) / 1024 % 400 FROM n;
CREATE INDEX purchases_by_user ON purchases (user, addon);
CREATE INDEX purchases_by_addon ON purchases (addon, user);

CREATE TABLE metered (user INTEGER NOT NULL, day INTEGER NOT NULL, service INTEGER NOT NULL, units INTEGER NOT NULL);
WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i < 599999)
INSERT INTO metered SELECT 1 + i / 600, i % 600, i % 7, 1 + (i * 2246822519 % 4294967296) / 1024 % 500 FROM n;
CREATE INDEX metered_by_user ON metered (user);

COMMIT;
ANALYZE;
