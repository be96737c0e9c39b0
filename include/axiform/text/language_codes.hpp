/// @file
/// The languages of mBART, mBART-50, NLLB and M2M100, in the order in which their codes have ids behind the pieces (transformers 5.24,
/// `FAIRSEQ_LANGUAGE_CODES`), for a SentencePiece model does not have them; and where a code stands.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/text/json_section.hpp>
#include <axiform/text/post_processor.hpp>
#include <axiform/text/tokenizer.hpp>
#include <axiform/text/tokenizer_family.hpp>

namespace axiform::detail {

/// Of mBART; mBART-50 has more behind them.
inline constexpr std::string_view mbart_language_codes =
    "ar_AR cs_CZ de_DE en_XX es_XX et_EE fi_FI fr_XX gu_IN hi_IN it_IT ja_XX kk_KZ ko_KR lt_LT lv_LV my_MM ne_NP nl_XX ro_RO ru_RU "
    "si_LK tr_TR vi_VN zh_CN";

/// What mBART-50 has besides.
inline constexpr std::string_view mbart50_more_language_codes =
    "af_ZA az_AZ bn_IN fa_IR he_IL hr_HR id_ID ka_GE km_KH mk_MK ml_IN mn_MN mr_IN pl_PL ps_AF pt_XX sv_SE sw_KE ta_IN te_IN th_TH "
    "tl_XX uk_UA ur_PK xh_ZA gl_ES sl_SI";

/// Of NLLB-200.
inline constexpr std::string_view nllb_language_codes =
    "ace_Arab ace_Latn acm_Arab acq_Arab aeb_Arab afr_Latn ajp_Arab aka_Latn amh_Ethi apc_Arab arb_Arab ars_Arab ary_Arab arz_Arab "
    "asm_Beng ast_Latn awa_Deva ayr_Latn azb_Arab azj_Latn bak_Cyrl bam_Latn ban_Latn bel_Cyrl bem_Latn ben_Beng bho_Deva bjn_Arab "
    "bjn_Latn bod_Tibt bos_Latn bug_Latn bul_Cyrl cat_Latn ceb_Latn ces_Latn cjk_Latn ckb_Arab crh_Latn cym_Latn dan_Latn deu_Latn "
    "dik_Latn dyu_Latn dzo_Tibt ell_Grek eng_Latn epo_Latn est_Latn eus_Latn ewe_Latn fao_Latn pes_Arab fij_Latn fin_Latn fon_Latn "
    "fra_Latn fur_Latn fuv_Latn gla_Latn gle_Latn glg_Latn grn_Latn guj_Gujr hat_Latn hau_Latn heb_Hebr hin_Deva hne_Deva hrv_Latn "
    "hun_Latn hye_Armn ibo_Latn ilo_Latn ind_Latn isl_Latn ita_Latn jav_Latn jpn_Jpan kab_Latn kac_Latn kam_Latn kan_Knda kas_Arab "
    "kas_Deva kat_Geor knc_Arab knc_Latn kaz_Cyrl kbp_Latn kea_Latn khm_Khmr kik_Latn kin_Latn kir_Cyrl kmb_Latn kon_Latn kor_Hang "
    "kmr_Latn lao_Laoo lvs_Latn lij_Latn lim_Latn lin_Latn lit_Latn lmo_Latn ltg_Latn ltz_Latn lua_Latn lug_Latn luo_Latn lus_Latn "
    "mag_Deva mai_Deva mal_Mlym mar_Deva min_Latn mkd_Cyrl plt_Latn mlt_Latn mni_Beng khk_Cyrl mos_Latn mri_Latn zsm_Latn mya_Mymr "
    "nld_Latn nno_Latn nob_Latn npi_Deva nso_Latn nus_Latn nya_Latn oci_Latn gaz_Latn ory_Orya pag_Latn pan_Guru pap_Latn pol_Latn "
    "por_Latn prs_Arab pbt_Arab quy_Latn ron_Latn run_Latn rus_Cyrl sag_Latn san_Deva sat_Beng scn_Latn shn_Mymr sin_Sinh slk_Latn "
    "slv_Latn smo_Latn sna_Latn snd_Arab som_Latn sot_Latn spa_Latn als_Latn srd_Latn srp_Cyrl ssw_Latn sun_Latn swe_Latn swh_Latn "
    "szl_Latn tam_Taml tat_Cyrl tel_Telu tgk_Cyrl tgl_Latn tha_Thai tir_Ethi taq_Latn taq_Tfng tpi_Latn tsn_Latn tso_Latn tuk_Latn "
    "tum_Latn tur_Latn twi_Latn tzm_Tfng uig_Arab ukr_Cyrl umb_Latn urd_Arab uzn_Latn vec_Latn vie_Latn war_Latn wol_Latn xho_Latn "
    "ydd_Hebr yor_Latn yue_Hant zho_Hans zho_Hant zul_Latn";

/// Of M2M100, whose tokens have two underscores on either side.
inline constexpr std::string_view m2m100_language_codes =
    "af am ar ast az ba be bg bn br bs ca ceb cs cy da de el en es et fa ff fi fr fy ga gd gl gu ha he hi hr ht hu hy id ig ilo is "
    "it ja jv ka kk km kn ko lb lg ln lo lt lv mg mk ml mn mr ms my ne nl no ns oc or pa pl ps pt ro ru sd si sk sl so sq sr ss su "
    "sv sw ta th tl tn tr uk ur uz vi wo xh yi yo zh zu";

/// Of the WMT 21 models, which are M2M100's.
inline constexpr std::string_view wmt21_language_codes = "en ha is ja cs ru zh de";

/// Where the code of a text's language stands.
enum class LanguageScheme {
  none,      ///< Nowhere.
  before,    ///< `code A </s>`, on both sides.
  behind,    ///< `A </s> code`, on both sides.
  asked_for  ///< Marian's: `>>code<< A </s>`, that of the language asked for, before the text that is translated.
};

inline LanguageScheme language_scheme(TokenizerFamily family, Section const& settings) {
  switch (family) {
    case TokenizerFamily::mbart:
      return LanguageScheme::behind;
    case TokenizerFamily::mbart50:
    case TokenizerFamily::m2m100:
      return LanguageScheme::before;
    case TokenizerFamily::nllb:
      return settings.get_or<bool>("legacy_behaviour", false) ? LanguageScheme::behind : LanguageScheme::before;
    case TokenizerFamily::marian:
      return LanguageScheme::asked_for;
    default:
      return LanguageScheme::none;
  }
}

/// The language of texts where no setting names one.
inline std::string_view default_language(TokenizerFamily family) noexcept {
  return family == TokenizerFamily::nllb ? "eng_Latn" : family == TokenizerFamily::m2m100 ? "en" : "en_XX";
}

inline std::vector<std::string> words_of(std::string_view list) {
  std::vector<std::string> words;
  while (!list.empty()) {
    std::string_view const word = list.substr(0, list.find(' '));
    words.emplace_back(word);
    list.remove_prefix(word.size() < list.size() ? word.size() + 1 : list.size());
  }
  return words;
}

/// The codes of a family's languages.
inline std::vector<std::string> language_codes(TokenizerFamily family) {
  switch (family) {
    case TokenizerFamily::mbart:
      return words_of(mbart_language_codes);
    case TokenizerFamily::mbart50: {
      auto codes = words_of(mbart_language_codes), more = words_of(mbart50_more_language_codes);
      codes.insert(codes.end(), more.begin(), more.end());
      return codes;
    }
    case TokenizerFamily::nllb:
      return words_of(nllb_language_codes);
    case TokenizerFamily::m2m100:
      return words_of(m2m100_language_codes);
    default:
      return {};
  }
}

/// The code that a token stands for: that of `__en__`, `>>fra<<`, `en_XX` or `eng_Latn`; empty for any other token.
inline std::string_view language_of(std::string_view token) noexcept {
  auto const all = [](std::string_view text, auto is_one) { return std::all_of(text.begin(), text.end(), is_one); };
  auto const is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
  auto const is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  auto const inner = [&token] { return token.substr(2, token.size() - 4); };
  if (token.size() > 4 && token.starts_with(">>") && token.ends_with("<<")) return inner();
  if (token.size() > 4 && token.starts_with("__") && token.ends_with("__")) return all(inner(), is_lower) ? inner() : "";
  std::size_t const language = token.find('_');
  if (language < 2 || language > 3 || token.size() < language + 3 || token.size() > language + 5) return "";
  std::string_view const place = token.substr(language + 1);
  bool const is_code =
      all(token.substr(0, language), is_lower) && is_upper(place.front()) && (all(place, is_upper) || all(place.substr(1), is_lower));
  return is_code ? token : "";
}

/// The codes of the languages that a vocabulary has, by their ids.
inline std::vector<std::string> languages_of(Tokenizer const& tokenizer) {
  std::vector<std::string> codes;
  for (std::size_t id = 0; id < tokenizer.vocabulary_size(); ++id)
    if (auto const code = language_of(tokenizer.id_to_token(static_cast<TokenId>(id))); !code.empty()) codes.emplace_back(code);
  return codes;
}

/// The token of a language, named by its code or as the token is written. `where` says in messages who named it.
/// @throws ArgumentError when there is no such language, with some that there are.
inline TokenId find_language(Tokenizer const& tokenizer, std::string const& code, std::string const& where) {
  for (std::string const& token : {code, "__" + code + "__", ">>" + code + "<<"})
    if (!language_of(token).empty())
      if (auto const id = tokenizer.token_to_id(token)) return *id;
  auto const known = languages_of(tokenizer);
  std::string some;
  for (std::size_t i = 0; i < std::min<std::size_t>(known.size(), 8); ++i) some += (i == 0 ? "" : ", ") + known[i];
  throw ArgumentError(where + ": found " + in_quotes(code) + ", expected " +
                      (known.empty() ? "none: the vocabulary has no language codes"
                                     : "one of the " + std::to_string(known.size()) + " languages of the vocabulary, such as " + some));
}

/// What goes round a text, or two of them with nothing between.
inline PostProcessor round_texts(std::vector<TokenId> const& before, std::vector<TokenId> const& behind) {
  using enum TemplatePart::Kind;
  PostProcessor result;
  TemplatePart const begin{special, before, 0}, end{special, behind, 0};
  result.single = {begin, {first_text, {}, 0}, end};
  result.pair = {begin, {first_text, {}, 0}, {second_text, {}, 0}, end};
  return result;
}

/// The tokenizer for texts of a language.
inline Tokenizer for_language(Tokenizer const& tokenizer, LanguageScheme scheme, TokenId code, std::string const& name) {
  if (auto const end = tokenizer.special_tokens().eos) {
    bool const is_behind = scheme == LanguageScheme::behind;
    return tokenizer.with_post_processor(is_behind ? round_texts({}, {*end, code}) : round_texts({code}, {*end}));
  }
  throw CheckpointError(name + ": found language codes, and no eos_token that ends texts");
}

}  // namespace axiform::detail
