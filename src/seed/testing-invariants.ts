/** What holds in every seeded database, for tests: each name with a query for the rows that break it. */
export const invariants: Readonly<Record<string, string>> = {
  'features have valid ids of their time': `select id from features where ${isNotIdOfItsTime()}`,
  'test cases have valid ids of their time': `select id from test_cases where ${isNotIdOfItsTime()}`,
  'deployments have valid ids of their time': `select id from deployments where ${isNotIdOfItsTime()}`,
  'conversations have valid ids of their time': `select id from conversations where ${isNotIdOfItsTime()}`,
  'messages have valid ids of their time, to the millisecond': `select id from messages
    where ${isNotIdOfItsTime()} or date_trunc('milliseconds', created_at) <> created_at`,
  'predictions have valid ids of their time': `select id from predictions where ${isNotIdOfItsTime()}`,
  'users have valid ids of their time': `select id from users where ${isNotIdOfItsTime()}`,
  'completed_at is set exactly for what is done': `select id from features where (status = 'DONE') <> (completed_at is not null)`,
  'features go forward in time and end before now': `select id from features
    where updated_at < created_at or completed_at < created_at or updated_at > $1::timestamptz`,
  'deployments end exactly when they are not under way': `select id from deployments
    where (status in ('PENDING', 'RUNNING')) = (finished_at is not null) or finished_at < created_at or finished_at > $1::timestamptz`,
  'test cases and deployments follow their feature': `select c.id from (
      select organization_id, feature_id, id, created_at from test_cases
      union all select organization_id, feature_id, id, created_at from deployments
    ) as c left join features f on f.organization_id = c.organization_id and f.id = c.feature_id
    where f.id is null or c.created_at < f.created_at or c.created_at > $1::timestamptz`,
  'the last message of a conversation is the one it says': `select c.id from conversations c
    left join (select organization_id, conversation_id, max(created_at) as last from messages group by 1, 2) m
      on m.organization_id = c.organization_id and m.conversation_id = c.id
    where c.last_message_at is distinct from m.last`,
  'messages follow their conversation, in the same organization': `select m.id from messages m
    left join conversations c on c.organization_id = m.organization_id and c.id = m.conversation_id
    where c.id is null or m.created_at < c.created_at or m.created_at > $1::timestamptz`,
  'people of a row are of its organization': `select r.id from (
      select organization_id, owner_id as user_id, id from features
      union all select organization_id, user_id, id from conversations
      union all select organization_id, uploaded_by_id, id from documents
      union all select organization_id, author_id, id from messages where author_id is not null
    ) as r left join users u on u.organization_id = r.organization_id and u.id = r.user_id
    where u.id is null`,
  'users speak with their own voice, the assistant with nobody’s': `select id from messages
    where (role = 'USER') <> (author_id is not null)`,
  'messages are scored': `select id from messages where sentiment_label is null or sentiment_score not between 0 and 1`,
  'readings are of a site of their organization': `select r.site_id from readings r
    left join sites s on s.organization_id = r.organization_id and s.id = r.site_id
    where s.id is null or r.at >= $1::timestamptz or r.load_mw <= 0`,
  'forecasts know nothing of their future': `select site_id from forecast_points
    where at < issued_at or issued_at > $1::timestamptz or not (p10 <= p50 and p50 <= p90)`,
  'default partitions are empty': `select organization_id from messages_other union all select organization_id from readings_other
    union all select organization_id from predictions_other union all select organization_id from forecast_points_other`,
};

function isNotIdOfItsTime(): string {
  const time = `left(first_id_at(created_at)::text, 13) <> left(id::text, 13)`;
  return `(${time} or substr(id::text, 15, 1) <> '7' or substr(id::text, 20, 1) not in ('8', '9', 'a', 'b'))`;
}
