/** What an application asks: Apollo Client and urql run these documents, and `npm run persist` reads this file. */
import { gql } from '@apollo/client/core';

const row = gql`
  fragment FeatureRow on Feature {
    id
    name
  }
`;

export const myFeatures = gql`
  query MyFeatures {
    viewer {
      id
      name
    }
    features(first: 10, orderBy: { field: NAME, direction: ASC }) {
      nodes {
        ...FeatureRow
      }
    }
  }
  ${row}
`;

export const featurePage = gql`
  query FeaturePage($first: Int!, $after: String, $status: FeatureStatus) {
    features(first: $first, after: $after, filter: { status: $status }, orderBy: { field: NAME, direction: ASC }) {
      edges {
        node {
          ...FeatureRow
        }
      }
      pageInfo {
        endCursor
        hasNextPage
      }
    }
  }
  ${row}
`;

export const feature = gql`
  query OneFeature($id: ID!) {
    feature(id: $id) {
      ...FeatureRow
      owner {
        id
        name
      }
    }
  }
  ${row}
`;

export const renameFeature = gql`
  mutation RenameFeature($id: ID!, $name: String!) {
    updateFeature(input: { id: $id, name: $name }) {
      feature {
        ...FeatureRow
      }
    }
  }
  ${row}
`;
