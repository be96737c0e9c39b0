/// @file
/// Chat templates of common families, for models whose files have none. Each gives the text of its family's own template, tools aside.
#pragma once

#include <string_view>
#include <utility>

#include <axiform/core/config.hpp>

namespace axiform::detail {

inline constexpr std::pair<std::string_view, std::string_view> known_chat_templates[] = {
    {"chatml", R"({%- for message in messages -%}
{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
{%- endfor -%}
{{ '<|im_start|>assistant\n' if add_generation_prompt }})"},

    // Gemma and Gemma 2: the model's role has another name, and there is no system.
    {"gemma", R"({{- bos_token | default('<bos>') -}}
{%- for message in messages -%}
  {%- if message.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif -%}
  {%- if (message.role == 'user') != (loop.index0 % 2 == 0) -%}
    {{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') -}}
  {%- endif -%}
  {{- '<start_of_turn>' + ('model' if message.role == 'assistant' else message.role) + '\n' + message.content | trim + '<end_of_turn>\n' -}}
{%- endfor -%}
{{- '<start_of_turn>model\n' if add_generation_prompt -}})"},

    // Llama 3; those of 3.1 and later begin with a system message that has the date.
    {"llama3", R"({{- bos_token | default('<|begin_of_text|>') -}}
{%- for message in messages -%}
  {{- '<|start_header_id|>' + message.role + '<|end_header_id|>\n\n' + message.content | trim + '<|eot_id|>' -}}
{%- endfor -%}
{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' if add_generation_prompt -}})"},

    // Mistral 7B Instruct v0.1 and v0.2, and Mixtral: no system.
    {"mistral", R"({{- bos_token | default('<s>') -}}
{%- for message in messages -%}
  {%- if (message.role == 'user') != (loop.index0 % 2 == 0) -%}
    {{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') -}}
  {%- endif -%}
  {%- if message.role == 'user' -%}
    {{- '[INST] ' + message.content + ' [/INST]' -}}
  {%- elif message.role == 'assistant' -%}
    {{- message.content + eos_token | default('</s>') -}}
  {%- else -%}
    {{- raise_exception('Only user and assistant roles are supported!') -}}
  {%- endif -%}
{%- endfor -%})"},

    // Qwen 2.5.
    {"qwen", R"({%- if messages[0].role != 'system' -%}
  {{- '<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n' -}}
{%- endif -%}
{%- for message in messages -%}
  {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' -}}
{%- endfor -%}
{{- '<|im_start|>assistant\n' if add_generation_prompt -}})"},

    {"zephyr", R"({%- for message in messages -%}
  {%- if message.role in ['user', 'system', 'assistant'] -%}
    {{- '<|' + message.role + '|>\n' + message.content + eos_token | default('</s>') + '\n' -}}
  {%- endif -%}
{%- endfor -%}
{{- '<|assistant|>\n' if add_generation_prompt -}})"}};

}  // namespace axiform::detail
