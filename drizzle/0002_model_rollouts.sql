CREATE TABLE "model_rollouts" (
	"organization_id" uuid NOT NULL,
	"model" text NOT NULL,
	"weights" jsonb NOT NULL,
	"baseline_version" text NOT NULL,
	"shadow_version" text,
	"shadow_share" double precision NOT NULL,
	"max_error_rate" double precision NOT NULL,
	"max_latency_ratio" double precision NOT NULL,
	"min_calls" integer NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	"updated_by_id" uuid,
	"returned_reason" text,
	CONSTRAINT "model_rollouts_organization_id_model_pk" PRIMARY KEY("organization_id","model")
);
--> statement-breakpoint
ALTER TABLE "predictions" ADD COLUMN "cache_hits" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "predictions" ADD COLUMN "error" text;--> statement-breakpoint
ALTER TABLE "predictions" ADD COLUMN "shadow_of" text;--> statement-breakpoint
ALTER TABLE "predictions" ADD COLUMN "agreed_rows" integer;--> statement-breakpoint
ALTER TABLE "model_rollouts" ADD CONSTRAINT "model_rollouts_organization" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "model_rollouts_updated" ON "model_rollouts" USING btree ("updated_at");