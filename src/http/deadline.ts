export function deadlineOf(request: Request): AbortSignal {
  return request.signal;
}
