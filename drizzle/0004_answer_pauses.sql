CREATE TABLE "answer_pauses" (
	"process_id" uuid PRIMARY KEY NOT NULL,
	"ends_at" timestamp with time zone NOT NULL
);
