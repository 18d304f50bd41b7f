/**
 * The shortest ways to an answer: node:http with constant bytes, with postgres.js as it comes, or with a bare thread that
 * runs a model; without GraphQL, without access and limits. Its arguments are the database and the organization; on a
 * free port that it prints. PUT /constant/NAME and /raw-model/NAME say what a POST there answers or runs.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createFlatStatements } from './flat-statements.ts';
import { createOneStatements } from './one-statement.ts';
import { createPlainClients } from './plain-clients.ts';
import { type RawModel, startRawModel } from './raw-model.ts';
import { createRawSql } from './raw-sql.ts';

/** The text of the answer, from variables that are plain ids and texts: what is in a cursor, not the cursor. */
export type LimitAnswer = (variables: Readonly<Record<string, string>>) => Promise<string>;
export type LimitAnswers = Readonly<Record<string, LimitAnswer>>;

const [url = '', organizationId = ''] = process.argv.slice(2);
const sql = createPlainClients(url, 20);
const answers: Readonly<Record<string, LimitAnswers>> = {
  'one-statement': createOneStatements(sql, organizationId),
  'flat-statements': createFlatStatements(sql, organizationId),
  'raw-sql': createRawSql(sql, organizationId),
};
const constants = new Map<string, Buffer>();
const models = new Map<string, RawModel>();

const server = createServer((request, response) => {
  const [, kind = '', name = ''] = request.url!.split('/');
  const constant = constants.get(name);
  if (kind === 'constant' && request.method === 'POST' && constant) {
    request.resume();
    send(response, constant);
    return;
  }
  readBody(request, (body) => {
    answer(request.method!, { kind, name, body }).then(
      (text) => send(response, text),
      (error: Error) => response.writeHead(500).end(JSON.stringify({ error: error.message })),
    );
  });
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));

async function answer(method: string, { kind, name, body }: { kind: string; name: string; body: Buffer }) {
  if (method === 'PUT') {
    if (kind === 'constant') constants.set(name, body);
    else models.set(name, startRawModel(JSON.parse(body.toString())));
    return '';
  }
  if (kind === 'raw-model') return models.get(name)!.run();
  const { variables } = JSON.parse(body.toString()) as { variables: Readonly<Record<string, string>> };
  return answers[kind]![name]!(variables);
}

function readBody(request: IncomingMessage, use: (body: Buffer) => void): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => use(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
}

function send(response: ServerResponse, body: string | Buffer): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
