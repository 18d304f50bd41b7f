/** `/graphql/ID`, where the id of a document is part of the path so that a CDN can tell documents apart. */
const documentPath = /^\/graphql\/([^/?]+)(?:\?(.*))?$/;
const prefix = '/graphql/';

/** Whether a path, without a query string, names a document: without a search, as every request is asked. */
export function isDocumentPath(path: string): boolean {
  return path.startsWith(prefix) && path.length > prefix.length && !path.includes('/', prefix.length);
}

/**
 * The URL of a request with the id in its query string, where it stands in the path; null: the path is another one.
 * A second id in the query string stays, for the reader of parameters to refuse.
 */
export function readDocumentPath(url: string): string | null {
  const [, id, rest] = documentPath.exec(url) ?? [];
  if (id === undefined) return null;
  // A plus is itself in a path, and a blank in a query string.
  const given = `/graphql?documentId=${id.replaceAll('+', '%2B').replaceAll('&', '%26')}`;
  return rest ? `${given}&${rest}` : given;
}
