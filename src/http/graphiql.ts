import type { GraphiQLOptions } from 'graphql-yoga';

/**
 * GraphiQL animates its tabs into place and leaves their last offset behind, so that a tab jumps away under the first
 * press and the click is lost (GraphiQL 5 with several default tabs). Tabs that stay put cost only the drag's picture.
 */
const steadyTabs = '<style>.graphiql-tab { transform: none !important; }</style>';

/**
 * The page of GraphiQL, whole: script and styles are in it, so it works without any network. The bundle is loaded when
 * somebody first opens the page.
 */
export async function renderGraphiql(options: GraphiQLOptions): Promise<string> {
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  return renderGraphiQL(options).replace('</head>', () => `${steadyTabs}</head>`);
}
