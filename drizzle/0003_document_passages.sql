CREATE SEQUENCE "public"."passage_revisions" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1;--> statement-breakpoint
CREATE TABLE "document_passages" (
	"organization_id" uuid NOT NULL,
	"document_id" uuid NOT NULL,
	"version" text NOT NULL,
	"position" integer NOT NULL,
	"start" integer NOT NULL,
	"length" integer NOT NULL,
	"revision" bigint NOT NULL,
	"vector" real[] NOT NULL,
	CONSTRAINT "document_passages_pk" PRIMARY KEY("organization_id","document_id","version","position")
);
--> statement-breakpoint
CREATE TABLE "embedding_states" (
	"organization_id" uuid NOT NULL,
	"version" text NOT NULL,
	"documents" integer NOT NULL,
	"passages" integer NOT NULL,
	"revision" bigint NOT NULL,
	"deleted_revision" bigint NOT NULL,
	CONSTRAINT "embedding_states_pk" PRIMARY KEY("organization_id","version")
);
--> statement-breakpoint
ALTER TABLE "documents" ADD COLUMN "embedded_by" text;--> statement-breakpoint
ALTER TABLE "document_passages" ADD CONSTRAINT "document_passages_document" FOREIGN KEY ("organization_id","document_id") REFERENCES "public"."documents"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "embedding_states" ADD CONSTRAINT "embedding_states_organization" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "document_passages_revision" ON "document_passages" USING btree ("organization_id","version","revision","document_id","position");--> statement-breakpoint
CREATE INDEX "documents_embedded" ON "documents" USING btree ("embedded_by","organization_id","id");--> statement-breakpoint
-- Whatever takes passages away, a cascade too, says so to the copies of them in memory.
CREATE FUNCTION count_deleted_passages() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE embedding_states AS state
	SET documents = state.documents - gone.documents, passages = state.passages - gone.passages,
		revision = nextval('passage_revisions'), deleted_revision = currval('passage_revisions')
	FROM (
		SELECT organization_id, version, count(DISTINCT document_id) AS documents, count(*) AS passages
		FROM deleted GROUP BY 1, 2
	) AS gone
	WHERE state.organization_id = gone.organization_id AND state.version = gone.version;
	RETURN NULL;
END
$$;--> statement-breakpoint
CREATE TRIGGER document_passages_deleted AFTER DELETE ON document_passages
	REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION count_deleted_passages();
