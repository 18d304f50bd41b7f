import { renderGraphiQL as renderBundle } from '@graphql-yoga/render-graphiql';
import type { GraphiQLOptions } from 'graphql-yoga';

/**
 * GraphiQL animates its tabs into place and leaves their last offset behind, so that a tab jumps away under the first
 * press and the click is lost (GraphiQL 5 with several default tabs). Tabs that stay put cost only the drag's picture.
 */
const steadyTabs = '<style>.graphiql-tab { transform: none !important; }</style>';

/** The page of GraphiQL, whole: script and styles are in it. */
export function renderGraphiql(options: GraphiQLOptions): string {
  return renderBundle(options).replace('</head>', () => `${steadyTabs}</head>`);
}
