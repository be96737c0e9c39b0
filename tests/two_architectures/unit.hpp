#pragma once

#include <vector>

// unit.cpp, compiled with -march=x86-64-v2 (SSE4.2), -v3 (AVX2, fma), the same with -mavxvnni, and -v4 (AVX-512).
std::vector<float> v2();
std::vector<float> v3();
std::vector<float> v3_vnni();
std::vector<float> v4();
