-- pg_trgm serves nameContains, btree_gin puts organization_id in front of GIN indexes; both are trusted extensions,
-- which a database's owner may create.
CREATE EXTENSION IF NOT EXISTS pg_trgm;--> statement-breakpoint
CREATE EXTENSION IF NOT EXISTS btree_gin;--> statement-breakpoint
CREATE TYPE "public"."message_role" AS ENUM('USER', 'ASSISTANT', 'SYSTEM');--> statement-breakpoint
CREATE TYPE "public"."sentiment_label" AS ENUM('NEGATIVE', 'NEUTRAL', 'POSITIVE');--> statement-breakpoint
CREATE TYPE "public"."deployment_status" AS ENUM('PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'ROLLED_BACK');--> statement-breakpoint
CREATE TYPE "public"."environment" AS ENUM('DEVELOPMENT', 'STAGING', 'PRODUCTION');--> statement-breakpoint
CREATE TYPE "public"."feature_status" AS ENUM('PLANNED', 'IN_PROGRESS', 'IN_REVIEW', 'DONE', 'CANCELLED');--> statement-breakpoint
CREATE TYPE "public"."test_status" AS ENUM('PENDING', 'PASSED', 'FAILED', 'SKIPPED');--> statement-breakpoint
CREATE TABLE "organizations" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "users" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"name" text NOT NULL,
	"email" text NOT NULL,
	"is_active" boolean DEFAULT true NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "users_organization_id_id_pk" PRIMARY KEY("organization_id","id")
);
--> statement-breakpoint
CREATE TABLE "conversations" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"title" text NOT NULL,
	"user_id" uuid NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"last_message_at" timestamp with time zone,
	CONSTRAINT "conversations_organization_id_id_pk" PRIMARY KEY("organization_id","id")
);
--> statement-breakpoint
CREATE TABLE "documents" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"title" text NOT NULL,
	"content" text NOT NULL,
	"uploaded_by_id" uuid NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"search" "tsvector" GENERATED ALWAYS AS (setweight(to_tsvector('english', "title"), 'A') || setweight(to_tsvector('english', "content"), 'B')) STORED,
	CONSTRAINT "documents_organization_id_id_pk" PRIMARY KEY("organization_id","id")
);
--> statement-breakpoint
CREATE TABLE "messages" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"conversation_id" uuid NOT NULL,
	"role" "message_role" NOT NULL,
	"content" text NOT NULL,
	"author_id" uuid,
	"created_at" timestamp with time zone NOT NULL,
	"sentiment_label" "sentiment_label",
	"sentiment_score" real,
	CONSTRAINT "messages_organization_id_id_pk" PRIMARY KEY("organization_id","id")
) PARTITION BY RANGE ("id");
--> statement-breakpoint
CREATE TABLE "deployments" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"feature_id" uuid NOT NULL,
	"version" text NOT NULL,
	"environment" "environment" NOT NULL,
	"status" "deployment_status" NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp with time zone,
	CONSTRAINT "deployments_organization_id_id_pk" PRIMARY KEY("organization_id","id")
);
--> statement-breakpoint
CREATE TABLE "features" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"name" text NOT NULL,
	"description" text NOT NULL,
	"status" "feature_status" NOT NULL,
	"complexity_points" smallint NOT NULL,
	"owner_id" uuid NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"completed_at" timestamp with time zone,
	CONSTRAINT "features_organization_id_id_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "features_complexity_points" CHECK ("features"."complexity_points" between 0 and 1000)
);
--> statement-breakpoint
CREATE TABLE "test_cases" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"feature_id" uuid NOT NULL,
	"name" text NOT NULL,
	"status" "test_status" NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "test_cases_organization_id_id_pk" PRIMARY KEY("organization_id","id")
);
--> statement-breakpoint
CREATE TABLE "forecast_points" (
	"organization_id" uuid NOT NULL,
	"model" text NOT NULL,
	"version" text NOT NULL,
	"site_id" uuid NOT NULL,
	"issued_at" timestamp with time zone NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"p10" double precision NOT NULL,
	"p50" double precision NOT NULL,
	"p90" double precision NOT NULL,
	CONSTRAINT "forecast_points_pk" PRIMARY KEY("organization_id","model","at","site_id","version","issued_at")
) PARTITION BY RANGE ("at");
--> statement-breakpoint
CREATE TABLE "predictions" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"model" text NOT NULL,
	"version" text NOT NULL,
	"precision" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"latency_ms" real NOT NULL,
	"batch_size" integer NOT NULL,
	CONSTRAINT "predictions_organization_id_id_pk" PRIMARY KEY("organization_id","id")
) PARTITION BY RANGE ("id");
--> statement-breakpoint
CREATE TABLE "readings" (
	"organization_id" uuid NOT NULL,
	"site_id" uuid NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"load_mw" double precision NOT NULL,
	CONSTRAINT "readings_organization_id_site_id_at_pk" PRIMARY KEY("organization_id","site_id","at")
) PARTITION BY RANGE ("at");
--> statement-breakpoint
CREATE TABLE "sites" (
	"organization_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"name" text NOT NULL,
	"time_zone" text NOT NULL,
	"holidays" date[] DEFAULT '{}' NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "sites_organization_id_id_pk" PRIMARY KEY("organization_id","id")
);
--> statement-breakpoint
ALTER TABLE "users" ADD CONSTRAINT "users_organization" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "conversations" ADD CONSTRAINT "conversations_user" FOREIGN KEY ("organization_id","user_id") REFERENCES "public"."users"("organization_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "documents" ADD CONSTRAINT "documents_uploader" FOREIGN KEY ("organization_id","uploaded_by_id") REFERENCES "public"."users"("organization_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "messages" ADD CONSTRAINT "messages_conversation" FOREIGN KEY ("organization_id","conversation_id") REFERENCES "public"."conversations"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "messages" ADD CONSTRAINT "messages_author" FOREIGN KEY ("organization_id","author_id") REFERENCES "public"."users"("organization_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "deployments" ADD CONSTRAINT "deployments_feature" FOREIGN KEY ("organization_id","feature_id") REFERENCES "public"."features"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "features" ADD CONSTRAINT "features_owner" FOREIGN KEY ("organization_id","owner_id") REFERENCES "public"."users"("organization_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "test_cases" ADD CONSTRAINT "test_cases_feature" FOREIGN KEY ("organization_id","feature_id") REFERENCES "public"."features"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "forecast_points" ADD CONSTRAINT "forecast_points_site" FOREIGN KEY ("organization_id","site_id") REFERENCES "public"."sites"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "predictions" ADD CONSTRAINT "predictions_organization" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "readings" ADD CONSTRAINT "readings_site" FOREIGN KEY ("organization_id","site_id") REFERENCES "public"."sites"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sites" ADD CONSTRAINT "sites_organization" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "users_email" ON "users" USING btree ("organization_id","email");--> statement-breakpoint
CREATE INDEX "conversations_created" ON "conversations" USING btree ("organization_id","created_at","id");--> statement-breakpoint
CREATE INDEX "conversations_last_message" ON "conversations" USING btree ("organization_id",coalesce("last_message_at", '-infinity'::timestamptz),"id");--> statement-breakpoint
CREATE INDEX "conversations_user_created" ON "conversations" USING btree ("organization_id","user_id","created_at","id");--> statement-breakpoint
CREATE INDEX "conversations_user_last_message" ON "conversations" USING btree ("organization_id","user_id",coalesce("last_message_at", '-infinity'::timestamptz),"id");--> statement-breakpoint
CREATE INDEX "documents_created" ON "documents" USING btree ("organization_id","created_at","id");--> statement-breakpoint
CREATE INDEX "documents_search" ON "documents" USING gin ("organization_id","search");--> statement-breakpoint
CREATE INDEX "messages_by_conversation" ON "messages" USING btree ("organization_id","conversation_id","id");--> statement-breakpoint
CREATE INDEX "deployments_feature_created" ON "deployments" USING btree ("organization_id","feature_id","created_at","id");--> statement-breakpoint
CREATE INDEX "deployments_feature_environment_created" ON "deployments" USING btree ("organization_id","feature_id","environment","created_at","id");--> statement-breakpoint
CREATE INDEX "deployments_created" ON "deployments" USING btree ("organization_id","created_at");--> statement-breakpoint
CREATE INDEX "features_created" ON "features" USING btree ("organization_id","created_at","id");--> statement-breakpoint
CREATE INDEX "features_updated" ON "features" USING btree ("organization_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "features_points" ON "features" USING btree ("organization_id","complexity_points","id");--> statement-breakpoint
CREATE INDEX "features_name" ON "features" USING btree ("organization_id","name","id");--> statement-breakpoint
CREATE INDEX "features_status_created" ON "features" USING btree ("organization_id","status","created_at","id");--> statement-breakpoint
CREATE INDEX "features_status_updated" ON "features" USING btree ("organization_id","status","updated_at","id");--> statement-breakpoint
CREATE INDEX "features_status_points" ON "features" USING btree ("organization_id","status","complexity_points","id");--> statement-breakpoint
CREATE INDEX "features_status_name" ON "features" USING btree ("organization_id","status","name","id");--> statement-breakpoint
CREATE INDEX "features_owner_created" ON "features" USING btree ("organization_id","owner_id","created_at","id");--> statement-breakpoint
CREATE INDEX "features_owner_updated" ON "features" USING btree ("organization_id","owner_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "features_owner_points" ON "features" USING btree ("organization_id","owner_id","complexity_points","id");--> statement-breakpoint
CREATE INDEX "features_owner_name" ON "features" USING btree ("organization_id","owner_id","name","id");--> statement-breakpoint
CREATE INDEX "features_name_trigrams" ON "features" USING gin ("organization_id","name" gin_trgm_ops);--> statement-breakpoint
CREATE INDEX "features_completed" ON "features" USING btree ("organization_id","completed_at") WHERE "features"."completed_at" is not null;--> statement-breakpoint
CREATE INDEX "test_cases_feature_created" ON "test_cases" USING btree ("organization_id","feature_id","created_at","id");--> statement-breakpoint
CREATE INDEX "test_cases_feature_status_created" ON "test_cases" USING btree ("organization_id","feature_id","status","created_at","id");--> statement-breakpoint
CREATE INDEX "predictions_model" ON "predictions" USING btree ("organization_id","model","id");--> statement-breakpoint
CREATE INDEX "predictions_model_version" ON "predictions" USING btree ("organization_id","model","version","id");--> statement-breakpoint
CREATE INDEX "sites_name" ON "sites" USING btree ("organization_id","name","id");--> statement-breakpoint
CREATE TABLE messages_other PARTITION OF messages DEFAULT;--> statement-breakpoint
CREATE TABLE predictions_other PARTITION OF predictions DEFAULT;--> statement-breakpoint
CREATE TABLE readings_other PARTITION OF readings DEFAULT;--> statement-breakpoint
CREATE TABLE forecast_points_other PARTITION OF forecast_points DEFAULT;--> statement-breakpoint
-- The least UUIDv7 of a moment: the bound of a partition by id.
CREATE FUNCTION first_id_at(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  SELECT rpad(lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0'), 32, '0')::uuid
$$;--> statement-breakpoint
-- Makes the missing partitions from the month of first_at to the month of last_at and returns how many were made.
-- Rows that waited in the default partition move into theirs. Attaching takes no lock that stops readers of the parent.
CREATE FUNCTION ensure_month_partitions(parent text, key_is_id boolean, first_at timestamptz, last_at timestamptz)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  month timestamptz := date_trunc('month', first_at, 'UTC');
  upper_month timestamptz;
  child text;
  lower_bound text;
  upper_bound text;
  made integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('ensure_month_partitions'), hashtext(parent));
  WHILE month <= last_at LOOP
    upper_month := (month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC';
    child := parent || '_' || to_char(month AT TIME ZONE 'UTC', 'YYYY_MM');
    IF to_regclass(quote_ident(child)) IS NULL THEN
      lower_bound := CASE WHEN key_is_id THEN first_id_at(month)::text ELSE month::text END;
      upper_bound := CASE WHEN key_is_id THEN first_id_at(upper_month)::text ELSE upper_month::text END;
      EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', child, parent);
      EXECUTE format('WITH moved AS (DELETE FROM %I WHERE %I >= %L AND %I < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
        parent || '_other', CASE WHEN key_is_id THEN 'id' ELSE 'at' END, lower_bound,
        CASE WHEN key_is_id THEN 'id' ELSE 'at' END, upper_bound, child);
      EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, child, lower_bound, upper_bound);
      made := made + 1;
    END IF;
    month := upper_month;
  END LOOP;
  RETURN made;
END
$$;
