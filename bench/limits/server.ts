/**
 * What the four queries are measured against: node:http and postgres.js as it comes, without GraphQL, without access and
 * limits. Its argument is the database, the next one the organization; on a free port that it prints.
 * POST /constant/NAME, /one-statement/NAME and /flat-statements/NAME answer; PUT /constant/NAME says what the first one
 * answers.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import postgres from 'postgres';
import type { QueryKey } from '../four-queries.ts';
import { createFlatStatements } from './flat-statements.ts';
import { createOneStatements } from './one-statement.ts';

/** What a limit needs of the variables of our query: a plain id; and of a cursor what is in it. */
export interface LimitVariables {
  readonly id: string;
  readonly createdAt: string;
}

/** The text of the answer. */
export type LimitAnswer = (variables: LimitVariables) => Promise<string>;
export type LimitAnswers = Readonly<Record<QueryKey, LimitAnswer>>;

const [url = '', organizationId = ''] = process.argv.slice(2);
const sql = postgres(url, { max: 20 });
const answers: Readonly<Record<string, LimitAnswers>> = {
  'one-statement': createOneStatements(sql, organizationId),
  'flat-statements': createFlatStatements(sql, organizationId),
};
const constants = new Map<string, Buffer>();

const server = createServer((request, response) => {
  const [, kind = '', name = ''] = request.url!.split('/');
  const constant = constants.get(name);
  if (kind === 'constant' && request.method === 'POST' && constant) {
    request.resume();
    send(response, constant);
    return;
  }
  readBody(request, (body) => {
    if (kind === 'constant') {
      constants.set(name, body);
      send(response, '');
      return;
    }
    const { variables } = JSON.parse(body.toString()) as { variables: LimitVariables };
    answers[kind]![name as QueryKey](variables).then(
      (text) => send(response, text),
      (error: Error) => response.writeHead(500).end(JSON.stringify({ error: error.message })),
    );
  });
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));

function readBody(request: IncomingMessage, use: (body: Buffer) => void): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => use(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
}

function send(response: ServerResponse, body: string | Buffer): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
