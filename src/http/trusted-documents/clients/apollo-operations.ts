/** What an application asks with Apollo Client; `npm run persist` reads it as well. */
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

export const byName = gql`
  query FeatureByName($name: String!) {
    features(filter: { nameContains: $name }, first: 1) {
      nodes {
        ...FeatureRow
      }
    }
  }
  ${row}
`;
