// The subcommands: each takes its own arguments, the name first, and gives an exit status.
#pragma once

int tokenize(int argc, char** argv);
int embed(int argc, char** argv);
int similarity(int argc, char** argv);
int search(int argc, char** argv);
int rerank(int argc, char** argv);
int fill_mask(int argc, char** argv);
int next_sentence(int argc, char** argv);
int answer(int argc, char** argv);
int classify(int argc, char** argv);
int zero_shot(int argc, char** argv);
int translate(int argc, char** argv);
int summarize(int argc, char** argv);
int text2text(int argc, char** argv);
int generate_text(int argc, char** argv);
int chat(int argc, char** argv);
int attention(int argc, char** argv);
int view(int argc, char** argv);
int perplexity(int argc, char** argv);
int evaluate(int argc, char** argv);
int quantize(int argc, char** argv);
int inspect(int argc, char** argv);
