// Families, and the models that their checkpoints are, in the dimensions that each checkpoint has.
#define AXIFORM_COMPILING_models 1
#define AXIFORM_INSTANCE_models template

#include <axiform/models/any.hpp>
#include <axiform/models/prepare.hpp>
