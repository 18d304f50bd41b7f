import { GraphQLError, NoSchemaIntrospectionCustomRule, validate } from 'graphql';
import type { Plugin } from 'graphql-yoga';

/** A message repeats what the client sent: names as long as a body may be. */
const maxMessageLength = 500;
const maxErrors = 20;

export interface ValidationBounds {
  /** Whether errors may suggest names of the schema. */
  hasSuggestions: boolean;
}

/**
 * Bounds what the errors of a document say: how many there are, how long their messages are, and whether they suggest
 * names. Stands before whatever reads the errors' messages.
 */
export function useValidationBounds({ hasSuggestions }: ValidationBounds): Plugin {
  const hideSuggestions = !hasSuggestions;
  return {
    onValidate({ setValidationFn }) {
      setValidationFn((schema, document, rules) => validate(schema, document, rules, { maxErrors, hideSuggestions }));
    },
    onExecute({ args }) {
      if (hideSuggestions) Object.assign(args, { hideSuggestions });
    },
    onResultProcess({ result }) {
      if (Array.isArray(result) || !('errors' in result)) return;
      for (const error of result.errors ?? []) shorten(error);
    },
  };
}

/** Also what it was made of, as its message may be shown instead. */
function shorten(error: { message: string; originalError?: Error | undefined }): void {
  if (error.message.length > maxMessageLength) error.message = `${error.message.slice(0, maxMessageLength)}…`;
  if (error.originalError instanceof GraphQLError) shorten(error.originalError);
}

/** Refuses `__schema` and `__type` where introspection is off; `__typename` is no introspection. */
export function useIntrospectionSwitch({ hasIntrospection }: { hasIntrospection: boolean }): Plugin {
  if (hasIntrospection) return {};
  return {
    onValidate({ addValidationRule }) {
      addValidationRule(NoSchemaIntrospectionCustomRule);
    },
  };
}
