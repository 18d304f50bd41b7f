/** One statement for what is no page: its rows are written by JSON.stringify. */
import type { Sql } from 'postgres';
import type { LimitAnswers } from './server.ts';

export function createRawSql(sql: Sql, organizationId: string): LimitAnswers {
  return {
    'create-feature': async ({ name = '', ownerId = '' }) => {
      const [feature] = await sql`
        insert into features (organization_id, id, name, description, status, complexity_points, owner_id, is_public)
        values (${organizationId}, uuidv7(), ${name}, '', 'PLANNED', 1, ${ownerId}, false) returning name, status`;
      return JSON.stringify({ data: { createFeature: { feature } } });
    },
    'create-features': async ({ rows = '', ownerId = '' }) => {
      const features = await sql`
        insert into features (organization_id, id, name, description, status, complexity_points, owner_id, is_public)
        select ${organizationId}, uuidv7(), input.name, '', 'PLANNED', 1, ${ownerId}, false
        from jsonb_to_recordset(${rows}::text::jsonb) as input(name text) returning name, status`;
      return JSON.stringify({ data: { createFeatures: { features } } });
    },
    'keyword-search': async ({ query = '' }) => {
      const found = await sql`
        select ranked.id, ranked.title, ranked.score, ts_headline('english', ranked.content, query,
          'StartSel=**, StopSel=**, MaxFragments=2, MinWords=8, MaxWords=24, FragmentDelimiter=" … "') as excerpt
        from (
          select id, title, content, query, ts_rank_cd(search, query, 32)::float8 as score
          from documents, websearch_to_tsquery('english', ${query}) as query
          where organization_id = ${organizationId} and search @@ query order by score desc, id limit 10
        ) as ranked order by ranked.score desc, ranked.id`;
      const matches = found.map(({ id, title, score, excerpt }) => ({ document: { id, title }, score, excerpt }));
      return JSON.stringify({ data: { searchDocuments: matches } });
    },
  };
}
