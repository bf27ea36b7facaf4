/* The only program of the `hold` image: it waits to be stopped, and reaps. `hold say WORDS...` prints the words,
 * one a line, and ends with as many as its status: enough to see an exec that no shell took part in. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void stop(int signal) { (void)signal; _exit(0); }
static void reap(int signal) { (void)signal; while (waitpid(-1, NULL, WNOHANG) > 0) {} }

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "say") == 0) {
    for (int i = 2; i < argc; i++) puts(argv[i]);
    return argc - 2;
  }
  signal(SIGINT, stop);
  signal(SIGTERM, stop);
  signal(SIGCHLD, reap);
  for (;;) pause();
}
