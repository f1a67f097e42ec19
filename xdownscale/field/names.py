"""Names that tell what a field measures: whole CF standard names, and names that products give their variables."""

from __future__ import annotations

from typing import Final


def _words(text: str, between: str | None = None) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split(between))


PRECIPITATION: Final = "precipitation"
"""Subject of every kind of precipitation at the surface: rates, fluxes and amounts of rain, snow, graupel and hail."""

_AXES: Final = """
    grid_latitude grid_longitude latitude longitude projection_x_coordinate projection_y_coordinate realization time
"""

NO_NAMES: Final = _words(_AXES) | _words("|unknown|none|undefined|n/a|na|not_set|~|-", "|")
"""What stands where a standard name is missing: "unknown" is GRIB's; names of axes come from arithmetic with them."""

MODIFIERS: Final = frozenset(
    {"", "detection_minimum", "number_of_observations", "standard_error", "status_flag"}
)
"""What CF lets stand behind a standard name."""

PRECIPITATION_NAMES: Final = _words("""
    convective_liquid_precipitation_flux convective_precipitation_amount convective_precipitation_flux
    convective_precipitation_rate convective_rainfall_amount convective_rainfall_flux convective_rainfall_rate
    convective_snowfall_amount convective_snowfall_flux convective_solid_precipitation_flux
    graupel_and_hail_fall_amount graupel_and_hail_fall_flux graupel_fall_amount graupel_fall_flux hail_fall_amount
    hail_fall_flux lwe_convective_precipitation_rate lwe_convective_snowfall_rate lwe_precipitation_rate
    lwe_snowfall_rate lwe_solid_precipitation_rate lwe_stratiform_precipitation_rate lwe_stratiform_snowfall_rate
    lwe_thickness_of_convective_precipitation_amount lwe_thickness_of_convective_snowfall_amount
    lwe_thickness_of_precipitation_amount lwe_thickness_of_snowfall_amount
    lwe_thickness_of_stratiform_precipitation_amount lwe_thickness_of_stratiform_snowfall_amount precipitation_amount
    precipitation_flux rainfall_amount rainfall_flux rainfall_rate shallow_convective_precipitation_flux
    snowfall_amount snowfall_flux solid_precipitation_flux stratiform_graupel_fall_amount stratiform_graupel_flux
    stratiform_liquid_precipitation_flux stratiform_precipitation_amount stratiform_precipitation_flux
    stratiform_rainfall_amount stratiform_rainfall_flux stratiform_rainfall_rate stratiform_snowfall_amount
    stratiform_snowfall_flux stratiform_solid_precipitation_flux thickness_of_convective_rainfall_amount
    thickness_of_convective_snowfall_amount thickness_of_rainfall_amount thickness_of_snowfall_amount
    thickness_of_stratiform_rainfall_amount thickness_of_stratiform_snowfall_amount
    """)
"""CF standard names of precipitation."""

WATER_NAMES: Final = _words("""
    baseflow_amount lwe_thickness_of_water_evaporation_amount lwe_water_evaporation_rate runoff_amount
    runoff_amount_excluding_baseflow runoff_flux subsurface_runoff_amount subsurface_runoff_flux surface_runoff_amount
    surface_runoff_flux surface_snow_melt_amount surface_snow_melt_flux surface_snow_sublimation_amount
    surface_snow_sublimation_flux surface_water_evaporation_flux transpiration_amount transpiration_flux
    water_evaporation_amount water_evaporation_amount_from_canopy water_evaporation_flux
    water_evapotranspiration_amount water_evapotranspiration_flux water_potential_evaporation_amount
    water_potential_evaporation_flux water_potential_evapotranspiration_amount
    drainage_amount_through_base_of_soil_model
    """)
"""CF standard names of other water that moves: amounts of these belong to a step, as those of precipitation do."""

CLASS_NAMES: Final = _words("""
    aerosol_type_in_atmosphere_layer_in_air area_type cloud_type predominant_precipitation_type_at_surface region
    scene_type_of_dvorak_tropical_cyclone_cloud_region scene_type_of_dvorak_tropical_cyclone_eye_region
    sea_ice_classification soil_type thermodynamic_phase_of_cloud_water_particles_at_cloud_top
    """)
"""CF standard names of classes; those of flags end in "flag"."""

PER_STEP_WORDS: Final = ("integral_wrt_time_of_", "change_over_time_in_", "number_of_days_with_")
"""How CF standard names of amounts over a step begin, whatever is measured."""

PER_STEP_NAMES: Final = frozenset({"duration_of_sunshine"})
"""Other CF standard names of amounts over a step."""

_PRODUCTS: Final = {
    PRECIPITATION: """
        apcp apcp_sfc apcp_surface apcpsfc accumulated_precipitation avg_tprate chirps climate_precipitation cmorph
        convective_precipitation convective_snowfall cp cpc crr csf csfr daily_precipitation
        daily_total_precipitation gaugeadjprecip graupelnc hailnc hourlypreciprate hourlypreciprategc
        large_scale_precipitation large_scale_snowfall lsf lsp lspf lsrr lssfr mcpr mlspr msr mtpr
        multisensor_qpe_01h_pass2 pcp ppt pr prate prate_surface pratesfc prc pre prec prec_acc_c prec_acc_nc precc
        precip precip_amount precip_rate precipitation precipitation_amount precipitation_flux precipitation_rate
        precipitationcal precipitationuncal preciprate precl prect prectot prectotcorr prectotland prcp prra prsn
        qpe_01h radaronly_qpe_01h rain rain_amount rainc rainnc rainsh rain_gsp rain_con rain_rate rainf
        rainf_f_tavg rainfall rainfall_amount rainfall_flux rainfall_rate rainrate rfe rfe_filled rhiresd rr rrr sf
        snowf snowfall snowfall_amount snowfall_flux snownc acsnow snow_gsp snow_con tot_prec total_precipitation
        total_precipitation_6hr total_precipitation_rate tp tprate
    """,
    "water_evapotranspiration_amount": "e et aet evap evaporation evapotranspiration evspsbl total_evaporation",
    "water_potential_evapotranspiration_amount": "pet pev potevap potevp evspsblpot potential_evaporation",
    "runoff_amount": "ro mrro runoff",
    "surface_runoff_amount": "sro sfroff mrros surface_runoff",
    "subsurface_runoff_amount": "ssro udroff mrrob",
    "surface_snow_melt_amount": "smlt snm snowmelt",
    "air_temperature": "tas t2m 2t t2 tmp2m air_temperature 2m_temperature",
    "eastward_wind": "uas u10 10u ua u10m eastward_wind 10m_u_component_of_wind",
    "northward_wind": "vas v10 10v va v10m northward_wind 10m_v_component_of_wind",
    "wind_speed": "sfcwind ws10 si10 10si wspd wind_speed windspeed",
    "air_pressure_at_mean_sea_level": "psl msl prmsl mslp mean_sea_level_pressure",
    "surface_air_pressure": "ps sp psfc surface_pressure",
    "lwe_thickness_of_surface_snow_amount": "sd swe snow_water_equivalent",
    "surface_snow_amount": "snw weasd",
    "surface_snow_thickness": "snd sde snod snow_depth snowdepth",
    "canopy_water_amount": "src",
    "atmosphere_mass_content_of_water_vapor": "prw tcwv pwat tqv precipitable_water total_column_water_vapour",
    "atmosphere_mass_content_of_water": "tcw total_column_water",
    "atmosphere_mass_content_of_cloud_condensed_water": "clwvi",
    "atmosphere_mass_content_of_cloud_ice": "clivi tciw",
    "mass_content_of_water_in_soil": "mrso",
    "geopotential_height": "zg gh hgt hgtprs",
    "surface_altitude": "orog topo topography elevation terrain dem altitude",
    "sea_surface_height_above_geoid": "zos adt",
    "sea_surface_height_above_mean_sea_level": "sla",
    "sea_surface_height_above_reference_ellipsoid": "ssh",
    "atmosphere_boundary_layer_thickness": "blh hpbl pblh boundary_layer_height",
    "sea_surface_wave_significant_height": "swh hs vhm0",
    "sea_ice_thickness": "sithick",
}
"""What is measured, and what real products call it: short names of their variables and whole long names."""

_ACCUMULATED: Final = """
    rainnc rainc rainsh snownc graupelnc hailnc sfroff udroff acsnow acsnom acrunoff sfcevp achfx aclhf acgrdflx
    acswupt acswupb acswdnt acswdnb aclwupt aclwupb aclwdnt aclwdnb acswuptc acswupbc acswdntc acswdnbc aclwuptc
    aclwupbc aclwdntc aclwdnbc
"""

ACCUMULATED_NAMES: Final = _words(_ACCUMULATED)
"""Names of running totals since the start of a run, as WRF writes them."""

DIRECTION_NAMES: Final = _words("""
    10m_wind_direction dwi dwps dwww mdts mdww mwd vmdr vmdr_sw1 vmdr_sw2 vmdr_ww wd wd10 wdir wdir10 wdirsfc
    wind_direction wind_from_direction winddir winddirection wind_dir wind_to_direction
    """)
"""Names of directions."""

CODE_NAMES: Final = _words("""
    isltyp ivgtyp land_cover landcover landuse lccs_class lu_index ptype slt soil_type tvh tvl type_of_high_vegetation
    type_of_low_vegetation precipitation_type
    """)
"""Names of class numbers."""

COUNT_NAMES: Final = _words("population population_count pop areacella areacello cell_area area_of_cell")
"""Names of totals over a cell: as many people, or square metres, as the cell is large."""

SUBJECTS: Final = {name: subject for subject, names in _PRODUCTS.items() for name in names.split()}
"""What is measured, by name of a product's variable."""

TELLING_WORDS: Final = _words("""
    accumulated accumulation drizzle evaporation evapotranspiration hail melt precip precipitation rain rainfall runoff
    snowfall snowmelt
    """)
"""Whole words of a description that may mean an amount over a step, and do not say whether they do."""

ANGLES: Final = _words("degree|degrees|deg|°|degree true|degrees true|degree_true|radian|radians|rad", "|")
"""Units of angles, in small letters."""

PRESSURES: Final = _words("pa hpa kpa mbar mb millibar millibars")
"""Units of pressures, in small letters."""

EXTENSIVE: Final = _words("m2 km2 m^2 km^2 m**2 m3 km3 kg persons people inhabitants")
"""Units of totals over a cell."""

COUNTS: Final = EXTENSIVE | _words("|1|count|counts|number|people per cell", "|")
"""Units of what is counted in a cell."""

CODES: Final = _words("|1|~|-|category|class|dimensionless", "|")
"""Units of class numbers."""
